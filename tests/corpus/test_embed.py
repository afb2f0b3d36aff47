import json
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import ROOT
from usetune.corpus.embed import embed_corpus
from usetune.corpus.files import cut
from usetune.corpus.job import Job
from usetune.corpus.outcome import Outcome, attempt, follow
from usetune.search.quantization import Quantizer

# Ray warns of settings of its own.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

TEXTS = [f"title {number % 300} of level {number % 7}" for number in range(1200)]


@pytest.fixture(scope="module", autouse=True)
def ray():
    return pytest.importorskip("ray", reason="needs usetune[cluster]")


@pytest.fixture
def parquet(tmp_path):
    path = tmp_path / "input" / "a.parquet"
    path.parent.mkdir()
    table = pa.table({"text": TEXTS, "id": range(len(TEXTS))})
    pq.write_table(table, path, row_group_size=100)
    return path


def check_output(output, encoder):
    """The output of `TEXTS`, row for row."""
    table = pd.read_parquet(output / "parts")
    assert table["id"].tolist() == list(range(len(TEXTS)))
    assert table["text"].tolist() == TEXTS
    expected = encoder.encode(TEXTS)
    np.testing.assert_allclose(np.stack(table["embedding"]), expected, atol=1e-5)
    left = {path.name for path in output.iterdir()} - {"parts", "usetune-corpus.json"}
    assert not left
    assert all(path.suffix == ".parquet" for path in (output / "parts").iterdir())


DRIVER = """
import sys
from tests.fakes.tiny_encoder import TinyEncoder
from usetune.corpus.embed import embed_corpus

embed_corpus(
    TinyEncoder(), sys.argv[1], sys.argv[2], "text", rows_per_part=20, workers=1
)
"""


def finished(output):
    """When the parts were written, by path."""
    paths = (output / "parts").glob("part-*.parquet")
    return {path: path.stat().st_mtime_ns for path in paths}


def test_the_driver_is_killed(parquet, tmp_path, tiny, ray):
    output = tmp_path / "output"
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, str(parquet), str(output)],
        cwd=ROOT,
        stderr=subprocess.DEVNULL,
    )
    while len(finished(output)) < 3:
        assert driver.poll() is None
        time.sleep(0.01)
    driver.kill()
    driver.wait()
    # Ray ends its processes when their driver is gone.
    time.sleep(2)
    first = finished(output)
    assert 3 <= len(first) < 60
    # As if a worker had been killed while it wrote.
    (output / "parts" / ".part-000059.parquet.abcd1234.usetune").mkdir()
    counts = embed_corpus(tiny, parquet, output, "text", rows_per_part=20, workers=1)
    assert (counts.parts, counts.rows, counts.embedded) == (60, 1200, 1200)
    assert counts.rejected == 0 and not ray.is_initialized()
    check_output(output, tiny)
    after = finished(output)
    assert all(after[path] == written for path, written in first.items())


@pytest.mark.skipif(sys.platform != "linux", reason="kills a machine's processes")
def test_a_cluster_loses_a_machine(parquet, tmp_path, tiny, ray):
    """The same call with an address; machines are made of processes here, and the one
    that is lost takes its worker with it."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    machines = [cluster.add_node(num_cpus=2) for _ in range(2)]
    cluster.wait_for_nodes()
    output = tmp_path / "output"

    lost_at = []

    def lose():
        while len(finished(output)) < 3:
            time.sleep(0.01)
        lost_at.append(len(finished(output)))
        cluster.remove_node(machines[0], allow_graceful=False)

    thread = threading.Thread(target=lose)
    thread.start()
    counts = embed_corpus(
        tiny,
        parquet,
        output,
        "text",
        rows_per_part=20,
        workers=2,
        cpus_per_worker=2,
        address=cluster.address,
    )
    thread.join()
    assert 3 <= lost_at[0] < 60
    assert (counts.parts, counts.embedded) == (60, 1200)
    check_output(output, tiny)
    # It is left running.
    assert not ray.is_initialized()
    ray.init(address=cluster.address)
    assert ray.cluster_resources()["CPU"] >= 2
    ray.shutdown()
    cluster.shutdown()


def test_a_fault_within_a_part_does_not_stop_the_others(parquet, tmp_path, tiny):
    types, (part, *_) = cut([str(parquet)], "text", 100)
    job = Job("text", types, "float32", tmp_path / "output", tmp_path / "work")
    good = attempt(part, job, tiny)
    assert good == Outcome(100, "", "")
    changed = attempt(replace(part, stop=1201, number=1), job, tiny)
    beyond = attempt(replace(part, start=1300, stop=1301), job, tiny)
    assert "has changed" in beyond.fault
    outcomes = iter([changed, good])
    with pytest.raises(
        RuntimeError, match="1 parts .*\n.*part-000001 of .*has changed"
    ):
        follow(outcomes, 200)
    # The part after it was done.
    assert next(outcomes, None) is None
    outcomes = iter([changed] * 12)
    with pytest.raises(RuntimeError, match="10 parts could not be embedded"):
        follow(outcomes, 200)
    assert len(list(outcomes)) == 2
    # The part has been begun twice by now. No worker gets it a fourth time.
    faults = [attempt(part, job, tiny).fault for _ in range(2)]
    assert faults[0] == ""
    assert "rows 1 to 100: 3 workers died over them" in faults[1]
    shutil.rmtree(job.work)
    assert attempt(part, job, tiny) == good
    warned = replace(good, warnings="part-000001: b\npart-000001: c")
    with pytest.warns(UserWarning, match="2 warnings, the first in part-000001: b"):
        follow([warned], 200)


def test_csv_files_and_a_call_that_is_cut_short(tmp_path, tiny, monkeypatch, ray):
    """Before any part; then an output loses two, and the files come otherwise."""
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for path, texts in zip(files, (TEXTS[:7], TEXTS[7:14]), strict=True):
        path.write_text("text\n" + "\n".join(texts) + "\n")
    asked = dict(column="text", rows_per_part=3, workers=1)
    output = tmp_path / "output"

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("usetune.corpus.embed.run", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embed_corpus(tiny, files, output, **asked)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with pytest.raises(ValueError, match="address must be None.*Received: 'auto'"):
            embed_corpus(tiny, files, tmp_path / "other", address="auto", **asked)
        shutil.rmtree(tmp_path / "other")
        counts = embed_corpus(tiny, files, output, **asked)
        assert (counts.parts, counts.embedded) == (6, 14)
        first = pd.read_parquet(output / "parts")
        assert first["text"].tolist() == TEXTS[:14]
        content = bytearray((output / "parts" / "part-000001.parquet").read_bytes())
        # In the footer: the part cannot be read.
        content[-20] ^= 1
        (output / "parts" / "part-000001.parquet").write_bytes(content)
        (output / "parts" / "part-000003.parquet").unlink()
        with pytest.raises(ValueError, match="begun with another corpus"):
            embed_corpus(tiny, files[::-1], output, **asked)
        with pytest.warns(UserWarning, match="part-000001 is embedded again"):
            embed_corpus(tiny, files, output, **asked)
        again = pd.read_parquet(output / "parts")
        assert again["text"].tolist() == TEXTS[:14]
        np.testing.assert_array_equal(
            np.stack(again["embedding"]), np.stack(first["embedding"])
        )
        assert sorted(path.name for path in output.iterdir()) == [
            "parts",
            "usetune-corpus.json",
        ]
        # Of the same size, but changed.
        files[0].write_text(files[0].read_text()[::-1])
        with pytest.raises(ValueError, match="begun with another corpus"):
            embed_corpus(tiny, files, output, **asked)
        assert ray.is_initialized()
    finally:
        ray.shutdown()


def test_two_workers_codes_and_rejected_rows(tmp_path, small, ray):
    """The real encoder, compact and cut; then all that a finished output refuses."""
    small = small.truncate(64)
    texts = ["data scientist", "infermiere", "看護師", "", "pastry cook"]
    rows = [{"text": text} for text in texts] + [{"text": 7}, {"text": None}]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    output = tmp_path / "output"
    axes = np.eye(64, dtype="float32")
    quantizer = Quantizer("int8").fit(np.concatenate([axes, -axes]))
    options = {"precision": quantizer, "rows_per_part": 4}
    counts = embed_corpus(small, path, output, "text", **options)
    assert (counts.parts, counts.rows, counts.embedded, counts.rejected) == (2, 7, 5, 2)
    table = pd.read_parquet(output / "parts")
    assert table["text"].tolist() == texts
    codes = np.stack(table["embedding"]).astype(int)
    # A number on the border of two levels may fall to either.
    assert abs(codes - quantizer.quantize(small.encode(texts))).max() <= 1
    assert Quantizer.load(output / "quantizer.npz").precision == "int8"
    lines = (output / "rejected" / "part-000001.jsonl").read_text().splitlines()
    assert [json.loads(line)["row"] for line in lines] == [6, 7]

    # All is done: no worker is needed, and nothing written again.
    before = {file: file.stat().st_mtime_ns for file in output.rglob("part-*")}
    again = embed_corpus(small.copy(), [path], output, "text", **options)
    assert (again.embedded, again.rejected) == (5, 2)
    other = small.copy()
    weights = other.trainable_variables[0]
    weights.assign(weights.value + 0.5)
    refused = {
        "column": dict(column="title"),
        "precision": dict(precision="float32"),
        "encoder": dict(encoder=other),
        "rows_per_part": dict(rows_per_part=3),
        "corpus": dict(corpus=[path, tmp_path / "b.jsonl"]),
    }
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\n')
    asked = dict(encoder=small, corpus=path, output=output, column="text", **options)
    for name, change in refused.items():
        with pytest.raises(ValueError, match=f"begun with another {name},"):
            embed_corpus(**(asked | change))
    assert {file: file.stat().st_mtime_ns for file in before} == before
    listing = output / "usetune-corpus.json"
    content = json.loads(listing.read_text())
    for change, message in (
        ({"version": 3}, "older usetune.*version 3 .*embed the corpus again"),
        ({"version": 5}, "newer usetune"),
        ({"parts": [{}]}, "the content is not the one that was written"),
        ({"format": "?"}, "must be of the format 'usetune-corpus'"),
    ):
        listing.write_text(json.dumps(content | change))
        with pytest.raises(ValueError, match=f"usetune-corpus.json: .*{message}"):
            embed_corpus(**asked)


def test_faults_before_any_work(parquet, tmp_path, tiny, monkeypatch):
    output = tmp_path / "output"
    asked = dict(encoder=tiny, corpus=parquet, output=output, column="text")
    quantizer = Quantizer("int8").fit(np.eye(3, dtype="float32"))
    for change, message in (
        (dict(column="title"), r"lacks the columns \['title'\]"),
        (dict(column="id"), "must hold texts. Received: type int64"),
        (dict(precision="int4"), "precision must be one of.*Received: 'int4'"),
        (dict(precision=quantizer), "a quantizer of dim 16.*Received: 3"),
        (dict(rows_per_part=0), "rows_per_part.*Received: 0"),
        (dict(workers=1.5), "workers.*Received: 1.5"),
        (dict(cpus_per_worker=0), "cpus_per_worker.*Received: 0"),
        (dict(gpus_per_worker=-1), "gpus_per_worker.*Received: -1"),
        (dict(gpus_per_worker=1.5), "gpus_per_worker.*Received: 1.5"),
        (
            dict(corpus=parquet.parent, output=parquet.parent / "a" / "b"),
            "output must not lie within the folder of the corpus",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            embed_corpus(**(asked | change))
    assert not output.exists()
    with pytest.raises(FileNotFoundError, match="missing.csv"):
        embed_corpus(**(asked | dict(corpus="missing.csv")))
    with pytest.raises(FileExistsError, match=r"input holds \['a.parquet'\]"):
        embed_corpus(**(asked | dict(output=parquet.parent)))
    with pytest.raises(FileExistsError, match="must be a folder"):
        embed_corpus(**(asked | dict(output=parquet)))

    def full(*_, **__):
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(type(tiny), "save", full)
        with pytest.raises(OSError, match="no space left"):
            embed_corpus(**asked)
    assert not output.exists()

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr("usetune._utils.extras.importlib.import_module", refuse)
    with pytest.raises(ImportError, match=r"pip install usetune\[cluster\]"):
        embed_corpus(**asked)
