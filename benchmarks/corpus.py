"""A million generated job titles embedded by Ray's workers, beside plain `encode`.

    python benchmarks/corpus.py [rows]

Prints medians of interleaved rounds on a part of the rows, each way in processes of its
own; then embeds all rows with two workers and compares every one with `encode`. Writes
outputs/corpus.json and the memory of that run over time as outputs/corpus_memory.png.
"""

import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

OUTPUT = Path(__file__).parents[1] / "outputs"
ROWS = 1_000_000
ROUNDS = 3
# Rows of the rounds.
SAMPLE = 200_000
# Processes that encode at the same time, and threads of each.
ENCODING = ((1, 1), (1, 2), (2, 1))
# Workers, and CPUs of each.
WORKING = ((1, 1), (2, 1))
ROWS_PER_PART = 10_000

LEVELS = "trainee junior assistant associate senior lead principal deputy chief".split()
FIELDS = (
    "accounts aircraft archive ballet bakery bridge cardiology claims clay cloud coffee"
    " data dental energy export fibre film food forest freight game glass grain health"
    " heritage insurance irrigation laundry leather library logistics marine market"
    " metal mining music oncology payroll petrol poultry print rail robot safety sales"
    " soil solar sound sports steel sugar tax textile timber tourism transport vehicle"
    " vineyard water wildlife wind wool"
).split()
ROLES = (
    "adviser agent analyst architect auditor broker buyer clerk coach controller"
    " coordinator curator designer developer dispatcher driver editor engineer fitter"
    " grader guide inspector instructor inventor manager mechanic nurse officer"
    " operator planner researcher scientist secretary sorter surveyor teacher"
    " technician tester therapist trader trainer worker writer"
).split()
PLACES = (
    "Accra Athens Baku Basel Bergen Bogota Cairo Cork Dakar Delhi Dublin Fez Galway"
    " Genoa Hanoi Izmir Jaipur Kyoto Lagos Leeds Lima Lyon Malmo Minsk Nairobi Nice"
    " Osaka Oslo Porto Quito Riga Rome Seoul Sofia Split Tallinn Tunis Turin Utrecht"
    " Vigo Warsaw Xalapa Yerevan Zagreb Zurich"
).split()


def titles(rows: int, seed: int = 0) -> list[str]:
    """Distinct made-up titles, such as "senior metal inspector, Oslo"."""
    parts = (LEVELS, FIELDS, ROLES, PLACES)
    number = np.prod([len(part) for part in parts])
    if rows > number:
        raise ValueError(f"rows must be at most {number}. Received: {rows}")
    every = itertools.product(*parts)
    drawn = set(random.Random(seed).sample(range(number), rows))
    kept = [text for place, text in enumerate(every) if place in drawn]
    random.Random(seed).shuffle(kept)
    return [f"{level} {field} {role}, {place}" for level, field, role, place in kept]


def encode(threads: int, texts: list[str]) -> None:
    """Print the seconds of `encode`, after a warm-up and a line from the caller."""
    import tensorflow as tf

    from usetune import load_encoder

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    encoder = load_encoder()
    encoder.encode(texts[:10_000])
    print("ready", flush=True)
    input()
    start = time.perf_counter()
    encoder.encode(texts)
    print(time.perf_counter() - start, flush=True)


def work(
    source: str, output: str, workers: int, cpus: int, encoder: str | None
) -> None:
    """Print the counts of `embed_corpus`, with an encoder in a folder."""
    from usetune import embed_corpus, load_encoder

    counts = embed_corpus(
        load_encoder() if encoder is None else load_encoder(encoder),
        source,
        output,
        "title",
        rows_per_part=ROWS_PER_PART,
        workers=workers,
        cpus_per_worker=cpus,
    )
    print(json.dumps(vars(counts)), flush=True)


def start(*arguments: object) -> subprocess.Popen:
    """This file again, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, __file__, *map(str, arguments)],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "TQDM_DISABLE": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def encoding_rate(processes: int, threads: int, source: Path) -> float:
    """Texts a second of all processes together."""
    running = [start("encode", threads, source) for _ in range(processes)]
    for process in running:
        process.stdout.readline()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    seconds = [float(process.communicate()[0]) for process in running]
    return sum(SAMPLE / own for own in seconds)


class Memory(threading.Thread):
    """Proportional set size of a process and all below it, in MB.

    To look twice a second, as was tried, takes a tenth of the rate.
    """

    SECONDS = 5.0

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._root = psutil.Process(pid)
        self._begun = time.monotonic()
        self.over_time: list[dict[str, float]] = []
        self.start()

    def run(self) -> None:
        while self._root.is_running():
            sample = {"seconds": time.monotonic() - self._begun}
            try:
                for process in [self._root, *self._root.children(recursive=True)]:
                    for name, size in self._sizes(process):
                        sample[name] = sample.get(name, 0) + size
            except psutil.NoSuchProcess:
                continue
            self.over_time.append(sample)
            time.sleep(self.SECONDS)

    def _sizes(self, process: psutil.Process) -> Iterator[tuple[str, float]]:
        name = " ".join(process.cmdline())
        kind = "the rest of Ray"
        if process.pid == self._root.pid:
            kind = "driver"
        elif "_Worker" in name or "MapWorker" in name:
            kind = f"worker {process.pid}"
        yield kind, process.memory_full_info().pss / 1e6


def corpus_rate(workers: int, cpus: int, source: Path, output: Path) -> dict:
    """Rates with and without the start."""
    process = start("work", source, output, workers, cpus)
    return rates(workers, process, output)


def rates(workers: int, process: subprocess.Popen, output: Path) -> dict:
    """Wait for `work`, and tell how fast it was."""
    counts = json.loads(process.communicate()[0])
    if counts["embedded"] != counts["rows"] or counts["rejected"]:
        raise RuntimeError(f"all rows must be embedded. Received: {counts}")
    written = sorted(
        path.stat().st_mtime for path in (output / "parts").glob("part-*.parquet")
    )
    # While all workers work; a line through the rows written over time.
    working = written[workers - 1 : len(written) - workers + 1]
    slope = np.polyfit(np.subtract(working, working[0]), np.arange(len(working)), 1)[0]
    return {
        **counts,
        "rate": counts["rows"] / counts["seconds"],
        "steady rate": slope * ROWS_PER_PART,
    }


def largest_difference(texts: list[str], output: Path) -> float:
    """Of a number of the output to `encode`; rows must be those of the input."""
    from usetune import load_encoder

    encoder = load_encoder()
    largest, row = 0.0, 0
    for path in sorted((output / "parts").iterdir()):
        table = pq.read_table(path)
        own = texts[row : row + len(table)]
        if table["title"].to_pylist() != own:
            raise RuntimeError(f"{path} must hold the input's rows from {row} on")
        found = table["embedding"].combine_chunks().flatten().to_numpy()
        expected = encoder.encode(own)
        largest = max(largest, abs(found.reshape(expected.shape) - expected).max())
        row += len(table)
    if row != len(texts):
        raise RuntimeError(f"rows must be {len(texts)}. Received: {row}")
    return float(largest)


def draw(over_time: list[dict[str, float]], path: Path) -> None:
    """Memory of each kind of process, one above the other."""
    import pandas as pd
    from matplotlib import pyplot as plt

    table = pd.DataFrame(over_time).set_index("seconds").fillna(0) / 1000
    workers = [name for name in table if name.startswith("worker")]
    table = table.rename(
        columns={name: f"worker {i + 1}" for i, name in enumerate(workers)}
    )
    figure, axis = plt.subplots(figsize=(8, 3.6), layout="constrained")
    axis.stackplot(table.index, table.T, labels=table.columns, alpha=0.8)
    axis.set(xlabel="seconds", ylabel="GB (proportional set size)")
    axis.legend(loc="upper left", ncols=len(table.columns), fontsize="small")
    axis.set_ylim(0, 1.25 * table.sum(axis=1).max())
    figure.savefig(path, dpi=150)


def main(rows: int) -> None:
    OUTPUT.mkdir(exist_ok=True)
    report: dict = {"rows": rows, "rounds": ROUNDS, "rates": {}}
    texts = titles(rows)
    with tempfile.TemporaryDirectory() as parent:
        every, some = (Path(parent) / f"{name}.parquet" for name in ("every", "some"))
        table = pa.table({"id": range(rows), "title": texts})
        pq.write_table(table, every)
        pq.write_table(table[:SAMPLE], some)
        for number in range(ROUNDS):
            own = {
                f"encode, {processes} x {threads}": encoding_rate(
                    processes, threads, some
                )
                for processes, threads in ENCODING
            }
            for workers, cpus in WORKING:
                output = Path(parent) / f"{workers} {cpus} {number}"
                name = f"embed_corpus, {workers} x {cpus}"
                own[name] = corpus_rate(workers, cpus, some, output)["steady rate"]
            for name, rate in own.items():
                report["rates"].setdefault(name, []).append(rate)
        medians = {
            name: statistics.median(own) for name, own in report["rates"].items()
        }
        print(
            "rows a second, processes x threads or workers x CPUs, without the start:"
        )
        for name, rate in medians.items():
            print(f"  {name:24}{rate:>8,.0f}", flush=True)
        one, two = (medians[f"embed_corpus, {n} x 1"] for n in (1, 2))
        print(
            f"2 workers / (2 x encode, 1 x 1): {two / 2 / medians['encode, 1 x 1']:.2f}"
        )
        print(f"2 workers / encode, 1 x 2: {two / medians['encode, 1 x 2']:.2f}")
        print(f"1 to 2 workers: {two / one:.2f}")
        output = Path(parent) / "every row"
        process = start("work", every, output, 2, 1)
        memory = Memory(process.pid)
        result = rates(2, process, output)
        report["every row"] = {**result, "memory": memory.over_time}
        print(
            f"{rows:,} rows, 2 x 1: {result['seconds']:.0f} s, "
            f"{result['rate']:,.0f}/s; without the start "
            f"{result['steady rate']:,.0f}/s",
            flush=True,
        )
        report["largest difference"] = largest_difference(texts, output)
        print(f"rows equal; largest difference {report['largest difference']:.1e}")
    draw(memory.over_time, OUTPUT / "corpus_memory.png")
    (OUTPUT / "corpus.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["encode", threads, source]:
            texts = pq.read_table(source)["title"][:SAMPLE].to_pylist()
            encode(int(threads), texts)
        case ["work", source, output, workers, cpus, *encoder]:
            work(source, output, int(workers), int(cpus), *encoder or [None])
        case arguments:
            main(int(*arguments) if arguments else ROWS)
