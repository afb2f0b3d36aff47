"""A corpus by each kind of encoder: its speed with one and two workers, its index.

    python benchmarks/corpus_encoders.py [rows]

The encoder in float32, in bfloat16, and its static student, each from a folder. Prints
seconds, rates with and without the start, hours for 100 million rows at the latter, and
peaks of memory, of all processes together and of a worker; then the recall of an index
of 50,000 rows. Writes outputs/corpus_encoders.json.
"""

import json
import sys
import tempfile
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from corpus import OUTPUT, ROWS, Memory, rates, start, titles

from usetune import distil, embed_corpus, load_encoder
from usetune.corpus import EmbeddedCorpus, build_index, recall_table

WORKERS = (1, 2)
INDEXED, QUESTIONS = 50_000, 1_000
# Titles that the student is distilled from, and no others are measured with.
TAUGHT = 20_000
LARGE = 100_000_000


def encoders(texts: list[str], folder: Path) -> dict[str, Path]:
    """Save one of each kind."""
    made = {
        "float32": load_encoder(),
        "bfloat16": load_encoder(precision="bfloat16"),
        "static": distil(load_encoder(), texts),
    }
    for name, encoder in made.items():
        encoder.save(folder / name)
    return {name: folder / name for name in made}


def speed(encoder: Path, workers: int, source: Path, output: Path) -> dict:
    process = start("work", source, output, workers, 1, encoder)
    memory = Memory(process.pid)
    result = rates(workers, process, output)
    samples = pd.DataFrame(memory.over_time).drop(columns="seconds")
    result["peak MB"] = samples.sum(axis=1).max()
    result["worker MB"] = samples.filter(like="worker").max(axis=None)
    result["hours"] = LARGE / result["steady rate"] / 3600
    return result


def recall(encoder: Path, source: Path, questions: list[str], folder: Path) -> dict:
    """Of the index, with two settings of the search."""
    own = load_encoder(encoder)
    embed_corpus(own, source, folder / "rows", "title")
    corpus = EmbeddedCorpus(folder / "rows", own)
    index = build_index(corpus, folder / "index")
    settings = ["efSearch=64", "efSearch=256"]
    table = recall_table(index, corpus, own.encode(questions), settings)
    return table.set_index("setting").to_dict("index")


def main(rows: int) -> None:
    OUTPUT.mkdir(exist_ok=True)
    drawn = titles(rows + TAUGHT + QUESTIONS)
    texts, taught = drawn[:rows], drawn[rows : rows + TAUGHT]
    questions = drawn[rows + TAUGHT :]
    report: dict = {"rows": rows, "speed": {}, "recall": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        every, some = folder / "every.parquet", folder / "some.parquet"
        pq.write_table(pa.table({"title": texts}), every)
        pq.write_table(pa.table({"title": texts[:INDEXED]}), some)
        kinds = encoders(taught, folder)
        print(
            f"{rows:,} rows      workers  seconds   rows/s  without the start"
            "   hours for 100 million   peak MB   of a worker"
        )
        for kind, encoder in kinds.items():
            for workers in WORKERS:
                own = speed(encoder, workers, every, folder / f"{kind} {workers}")
                report["speed"][f"{kind}, {workers}"] = own
                print(
                    f"  {kind:16}{workers:>8}{own['seconds']:>9.0f}"
                    f"{own['rate']:>9,.0f}{own['steady rate']:>19,.0f}"
                    f"{own['hours']:>24.1f}{own['peak MB']:>10,.0f}"
                    f"{own['worker MB']:>14,.0f}",
                    flush=True,
                )
        for kind, encoder in kinds.items():
            own = recall(encoder, some, questions, folder / f"{kind} index")
            report["recall"][kind] = own
            print(
                f"  recall of an index of {INDEXED:,} rows, {kind}: "
                + ", ".join(
                    f"{setting} {row['recall']:.4f} "
                    f"[{row['low']:.4f}, {row['high']:.4f}]"
                    for setting, row in own.items()
                    if setting != "exact"
                ),
                flush=True,
            )
    (OUTPUT / "corpus_encoders.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main(int(*sys.argv[1:]) if sys.argv[1:] else ROWS)
