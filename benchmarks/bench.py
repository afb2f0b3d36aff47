"""Interleaved rounds of the contestants: prints tables, writes JSON and a picture."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

ROUNDS = 7
ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "outputs"
PACKAGES = (
    "tensorflow",
    "keras",
    "numpy",
    "tf-keras",
    "torch",
    "sentence-transformers",
    "transformers",
    "openvino",
    "model2vec",
)
# Of processors, as Linux names them: units that contestants multiply with.
FEATURES = ("avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8")
ENCODERS = (
    "encode",
    "encode_bfloat16",
    "encode_static",
    "encode_plain",
    "encode_wheel",
    "encode_minilm",
    "encode_minilm_bfloat16",
    "encode_minilm_int8",
    "encode_model2vec",
)
# What is counted in a second, the contestants (ours first), and whether every round
# is a process of its own.
TASKS = {
    "STS sentences": ([f"{name} sentences" for name in ENCODERS], False),
    "job titles": ([f"{name} titles" for name in ENCODERS], False),
    "GFLOP of matrix products": (["arithmetic", "matrix_product"], False),
    "training steps": (["train", "train_whole_table", "train_article"], False),
    "STS dev scores": (["score", "score_article"], False),
    "whole jobs (score, fine-tune, score)": (["job", "job_article"], True),
}


class Contestant:
    """A worker process that is ready for rounds."""

    def __init__(self, name: str, cold: bool) -> None:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if name.endswith("_article"):
            environment["TF_USE_LEGACY_KERAS"] = "1"
        errors = tempfile.TemporaryFile("w+")
        worker = str(ROOT / "benchmarks" / "contestants.py")
        self._process = subprocess.Popen(
            [sys.executable, worker, name, *(["cold"] if cold else [])],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        ready = self._process.stdout.readline()
        if not ready:
            errors.seek(0)
            raise RuntimeError(f"contestant {name} did not start:\n{errors.read()}")
        self.units = float(ready)

    def round(self) -> float:
        """Seconds of one round."""
        self._process.stdin.write("round\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def stop(self) -> float:
        """End the process; returns its peak of resident memory in MB."""
        self._process.stdin.close()
        peak = float(self._process.stdout.readline())
        self._process.wait()
        return peak


def features() -> dict[str, bool] | None:
    """Which of `FEATURES` the processor has; None where it cannot be read."""
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return None
    flags = set(cpuinfo.read_text().split())
    return {name: name in flags for name in FEATURES}


def measure(names: list[str], cold: bool) -> dict[str, dict]:
    results = {name: {"seconds_per_unit": []} for name in names}
    warm = {} if cold else {name: Contestant(name, cold) for name in names}
    for _ in range(ROUNDS):
        for name, result in results.items():
            contestant = warm.get(name) or Contestant(name, cold)
            seconds = contestant.round() / contestant.units
            result["seconds_per_unit"].append(seconds)
            if cold:
                result["peak_mb"] = contestant.stop()
    for name, contestant in warm.items():
        results[name]["peak_mb"] = contestant.stop()
    return results


def show(task: str, results: dict[str, dict]) -> None:
    medians = {
        name: statistics.median(result["seconds_per_unit"])
        for name, result in results.items()
    }
    ours = next(iter(medians.values()))
    print(f"\n{task} per second")
    print(f"{'':35}{'median':>9}{'slowest to fastest':>24}{'ratio':>8}{'peak MB':>9}")
    for name, result in results.items():
        rounds = result["seconds_per_unit"]
        spread = f"{1 / max(rounds):.4g} to {1 / min(rounds):.4g}"
        print(
            f"  {name:33}{1 / medians[name]:>9.4g}{spread:>24}"
            f"{medians[name] / ours:>8.2f}{result['peak_mb']:>9.0f}",
            flush=True,
        )


def main() -> None:
    OUTPUT.mkdir(exist_ok=True)
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "features": features(),
        "python": platform.python_version(),
        "versions": {name: version(name) for name in PACKAGES},
        "rounds": ROUNDS,
        "tasks": {},
    }
    print(f"{report['machine']}, Python {report['python']}, {report['versions']}")
    print(f"Of the processor: {report['features']}")
    print(f"Medians of {ROUNDS} interleaved rounds. Ratio: how many times as fast the")
    print("first line of each table is.")
    for task, (names, cold) in TASKS.items():
        report["tasks"][task] = measure(names, cold)
        show(task, report["tasks"][task])
    (OUTPUT / "benchmark.json").write_text(json.dumps(report, indent=2))
    print(f"\n{OUTPUT.name}/benchmark.json")


if __name__ == "__main__":
    main()
