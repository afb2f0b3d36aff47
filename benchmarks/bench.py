"""Interleaved rounds of the contestants; prints a table, writes JSON."""

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
TASKS = {
    "encoding, sentences per second": ("encode", "encode_plain", "encode_wheel"),
    "training, steps per second": ("train", "train_whole_table", "train_article"),
}


def start(name: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    if name == "train_article":
        environment["TF_USE_LEGACY_KERAS"] = "1"
    errors = tempfile.TemporaryFile("w+")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "benchmarks" / "contestants.py"), name],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )
    if not process.stdout.readline():
        errors.seek(0)
        raise RuntimeError(f"contestant {name} did not start:\n{errors.read()}")
    return process


def measure(names: tuple[str, ...]) -> dict[str, dict]:
    processes = {name: start(name) for name in names}
    seconds = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name, process in processes.items():
            process.stdin.write("round\n")
            process.stdin.flush()
            seconds[name].append(float(process.stdout.readline()))
    results = {}
    for name, process in processes.items():
        process.stdin.close()
        peak = float(process.stdout.readline())
        process.wait()
        results[name] = {"seconds_per_unit": seconds[name], "peak_mb": peak}
    return results


def main() -> None:
    report = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {
            name: version(name) for name in ("tensorflow", "keras", "numpy", "tf-keras")
        },
        "rounds": ROUNDS,
        "tasks": {},
    }
    print(f"{report['machine']}, Python {report['python']}, {report['versions']}")
    print(f"medians of {ROUNDS} interleaved rounds (slowest to fastest round)\n")
    for task, names in TASKS.items():
        results = report["tasks"][task] = measure(names)
        print(task)
        ours = statistics.median(results[names[0]]["seconds_per_unit"])
        for name, result in results.items():
            rounds = result["seconds_per_unit"]
            median = statistics.median(rounds)
            print(
                f"  {name:18} {1 / median:8.1f} ({1 / max(rounds):.1f} to "
                f"{1 / min(rounds):.1f})   ours is {median / ours:5.1f} times as fast"
                f"   peak {result['peak_mb']:.0f} MB"
            )
    output = ROOT / "outputs" / "benchmark.json"
    output.parent.mkdir(exist_ok=True)
    output.write_text(json.dumps(report, indent=2))
    print(f"\n{output.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
