import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests import ROOT
from tests.fakes.tiny_encoder import TinyEncoder
from usetune.corpus import EmbeddedCorpus, build_index, load_index, recall_table
from usetune.corpus.files import cut
from usetune.corpus.job import Job
from usetune.corpus.manifest import MANIFEST, Plan, Request, begin, precision_name
from usetune.corpus.part import embed_part, finish
from usetune.encoders.identity import encoder_identity
from usetune.search import nearest
from usetune.search.quantization import QuantizedCorpus, Quantizer

WORDS = "senior junior data care nurse cook pastry cloud metal music wood".split()


def read(folder):
    """Each file of a folder, by name."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def titles(count, seed=0):
    generator = np.random.default_rng(seed)
    return [" ".join(generator.choice(WORDS, 4)) for _ in range(count)]


def write_corpus(source, output, encoder, precision, rows_per_part):
    types, parts = cut([str(source)], "text", rows_per_part)
    request = Request(
        [[str(source), 1, 2]],
        "text",
        precision_name(precision),
        encoder_identity(encoder),
        rows_per_part,
    )
    plan = Plan(request, encoder.dim, types, parts)
    begin(output, plan)
    if isinstance(precision, Quantizer):
        precision.save(output / "quantizer.npz")
    job = Job("text", types, precision, output, output / ".usetune-work")
    for part in parts:
        embed_part(part, job, encoder)
    finish(plan, output)


def embedded(folder, texts, encoder, precision="float32"):
    """What `embed_corpus` writes, without Ray."""
    source = folder / "a.parquet"
    table = pa.table({"text": texts, "id": range(100, 100 + len(texts))})
    pq.write_table(table, source)
    output = folder / f"output of {getattr(precision, 'precision', precision)}"
    write_corpus(source, output, encoder, precision, 64)
    return output


@pytest.fixture(scope="module")
def tiny():
    return TinyEncoder()


@pytest.fixture(scope="module")
def output(tmp_path_factory, tiny):
    """200 rows, some of them equal, in parts of 64."""
    return embedded(tmp_path_factory.mktemp("corpus"), titles(200), tiny)


@pytest.fixture(scope="module")
def every(tiny):
    """The embeddings of the 200 rows, by parts: rounding depends on the batch."""
    texts = titles(200)
    parts = [tiny.encode(texts[start : start + 64]) for start in range(0, 200, 64)]
    return np.concatenate(parts)


@pytest.fixture
def faiss():
    return pytest.importorskip("faiss", reason="needs usetune[search]")


def test_the_search_in_files_is_the_search_in_memory(output, tiny, every):
    corpus = EmbeddedCorpus(output, tiny)
    assert (len(corpus), corpus.dim) == (200, 16)
    queries = tiny.encode(titles(7, seed=1))
    rows, scores = nearest(queries, every, 20)
    for chunk_size in (1, 50, 64, 1000):
        found, own = nearest(queries, corpus, 20, chunk_size)
        np.testing.assert_array_equal(found, rows)
        np.testing.assert_array_equal(own, scores)
    table = corpus.rows(rows[0])
    assert list(table) == ["text", "id"]
    assert table.index.tolist() == rows[0].tolist()
    assert table["id"].tolist() == (rows[0] + 100).tolist()
    assert table["text"].tolist() == [titles(200)[row] for row in rows[0]]


def test_the_encoder_is_compared_without_saving_it(output, tiny, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the encoder was saved")

    monkeypatch.setattr(TinyEncoder, "save", refuse)
    monkeypatch.setattr(TinyEncoder, "export", refuse)
    assert len(EmbeddedCorpus(output, tiny)) == 200


def test_rows_in_any_order(output, every):
    corpus = EmbeddedCorpus(output)
    for rows in (
        slice(None),
        slice(60, 70),
        slice(199, 10, -40),
        np.array([199, 0, 64, 63, 64]),
    ):
        np.testing.assert_array_equal(corpus[rows], every[rows])
        wanted = np.arange(200)[rows]
        assert corpus.rows(wanted)["id"].tolist() == (wanted + 100).tolist()
    unsigned = np.array([3, 70], np.uint64)
    np.testing.assert_array_equal(corpus[unsigned], every[[3, 70]])
    for nothing in (slice(0), [], np.empty((0, 3))):
        assert corpus[nothing].shape == (0, 16)
    assert corpus.rows([]).shape == (0, 2)
    for outside in ([200], [3, -1]):
        with pytest.raises(IndexError, match=f"0 to 199. Received:.*{outside[-1]}"):
            corpus[outside]
    for wrong in (np.ones(200, bool), [0.5], np.zeros((2, 2), int)):
        with pytest.raises(IndexError, match="a slice or an int array"):
            corpus.rows(wrong)


@pytest.mark.parametrize("precision", ["float16", "int8", "binary"])
def test_codes_are_decoded(tmp_path, tiny, every, precision):
    expected = every.astype("float16").astype("float32")
    if precision != "float16":
        precision = Quantizer(precision).fit(every)
        expected = QuantizedCorpus(precision, precision.quantize(every))[:]
    corpus = EmbeddedCorpus(embedded(tmp_path, titles(200), tiny, precision))
    assert corpus.dim == 16
    assert corpus[:].dtype == np.float32
    np.testing.assert_array_equal(corpus[:], expected)
    if precision != "float16":
        Quantizer(precision.precision).fit(-every).save(corpus.folder / "quantizer.npz")
        with pytest.raises(ValueError, match="quantizer.npz is not the file"):
            EmbeddedCorpus(corpus.folder)


def test_what_is_no_finished_corpus_of_this_encoder(output, tmp_path, tiny):
    with pytest.raises(FileNotFoundError, match="output of embed_corpus.*nowhere"):
        EmbeddedCorpus("nowhere")
    with pytest.raises(ValueError, match="another encoder"):
        EmbeddedCorpus(output, TinyEncoder(seed=1))
    unfinished = embedded(tmp_path, titles(200), tiny)
    plan = MANIFEST.read(unfinished)
    replace(plan, rows=[], files={}).write(unfinished)
    (unfinished / "parts" / "part-000002.parquet").unlink()
    with pytest.raises(ValueError, match="has 3 of 4 parts; the same call of"):
        EmbeddedCorpus(unfinished)


def alterations(files, other):
    """Bytes for each file of a folder that are not its own."""
    generator = np.random.default_rng(0)
    for name, content in files.items():
        for place in generator.integers(len(content), size=30):
            flipped = bytearray(content)
            flipped[place] ^= 1 << generator.integers(8)
            yield name, bytes(flipped)
        yield from ((name, changed) for changed in (b"", content[:-8], content + b"x"))
        if other[name] != content:
            yield name, other[name]


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_whatever_is_changed_is_refused_by_name(tmp_path, tiny, every, precision):
    other = TinyEncoder(seed=1)
    quantizers = [precision, precision]
    if precision == "int8":
        axes = np.eye(16, dtype="float32")
        fitted_on = every, np.concatenate([axes, -axes])
        quantizers = [Quantizer("int8").fit(own) for own in fitted_on]
    folder = embedded(tmp_path, titles(200), tiny, quantizers[0])
    (tmp_path / "b").mkdir()
    others = read(embedded(tmp_path / "b", titles(200), other, quantizers[1]))
    files = read(folder)
    first, *_, last = (name for name in files if "part-" in name)
    table = pq.read_table(folder / first)
    for altered in (table.take([*range(63, -1, -1)]), pa.concat_tables([table, table])):
        pq.write_table(altered, folder / first)
        with pytest.raises(ValueError, match=f"{first} is not the file"):
            EmbeddedCorpus(folder)[:]
    for name in (first, last):
        (folder / name).write_bytes(files[first if name == last else last])
    with pytest.raises(ValueError, match=f"{first} is not the file"):
        EmbeddedCorpus(folder)[:]
    for name in (first, last):
        (folder / name).write_bytes(files[name])
    for name, changed in alterations(files, others):
        (folder / name).write_bytes(changed)
        # The manifest of the other corpus is whole: what it tells of is not.
        named = "output of" if changed == others[name] else name
        with pytest.raises(ValueError, match=named):
            EmbeddedCorpus(folder, tiny)[:]
        (folder / name).write_bytes(files[name])
    (folder / last).unlink()
    with pytest.raises(FileNotFoundError, match=f"lacks {last}"):
        EmbeddedCorpus(folder)


def test_parts_are_read_when_they_are_needed(tmp_path, tiny, every):
    folder = embedded(tmp_path, titles(200), tiny)
    path = folder / "parts" / "part-000003.parquet"
    path.write_bytes(b"x" * path.stat().st_size)
    corpus = EmbeddedCorpus(folder, tiny)
    np.testing.assert_array_equal(corpus[:192], every[:192])
    assert len(corpus.rows(np.arange(192))) == 192
    for read_last in (corpus.__getitem__, corpus.rows):
        with pytest.raises(ValueError, match="part-000003.parquet is not the file"):
            read_last(np.array([0, 192]))


LOAD = """
import sys
import numpy as np
from usetune.corpus import EmbeddedCorpus, load_index

for folder in sys.argv[2:]:
    index = load_index(folder, EmbeddedCorpus(sys.argv[1]))
    print(index.nearest(np.eye(16, dtype="float32"), 3)[0].tolist())
"""


def test_an_index_is_found_again_in_another_process(output, tmp_path, faiss):
    corpus = EmbeddedCorpus(output)
    found = {}
    for description in ("HNSW8_SQ8", "IVF4,SQ8", "Flat"):
        folder = tmp_path / description
        index = build_index(corpus, folder, description)
        assert len(index) == 200
        if "HNSW" in description:
            assert index.faiss_index.hnsw.efConstruction == 200
        found[str(folder)] = index.nearest(np.eye(16, dtype="float32"), 3)[0].tolist()
        assert {path.name for path in folder.iterdir()} == {
            "index.faiss",
            "usetune-index.json",
        }
    printed = subprocess.run(
        [sys.executable, "-c", LOAD, str(output), *found],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert [*map(json.loads, printed.splitlines())] == list(found.values())


def test_recall_of_an_index(output, tiny, every, tmp_path, faiss):
    corpus = EmbeddedCorpus(output)
    queries = tiny.encode(titles(40, seed=1))
    exact = build_index(corpus, tmp_path / "exact", "Flat")
    found, scores = exact.nearest(queries, 5)
    expected = np.take_along_axis(queries @ every.T, found, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-6)
    table = recall_table(exact, corpus, queries, [""])
    assert list(table) == ["setting", "recall", "low", "high", "seconds", "n"]
    assert table["setting"].tolist() == ["exact", ""]
    assert (table[["recall", "low", "high"]] == 1).all(axis=None)
    assert (table["seconds"] > 0).all() and (table["n"] == 40).all()

    lists = build_index(corpus, tmp_path / "lists", "IVF8,Flat")
    table = recall_table(lists, corpus, queries, ["nprobe=1", "nprobe=3", "nprobe=8"])
    # The least score that counts, by another way.
    scores = queries @ every.T
    least = np.sort(scores)[:, [-10]] - 1e-6
    for setting, recall in zip(table["setting"][1:], table["recall"][1:], strict=True):
        found, _ = lists.nearest(queries, 10, setting)
        assert (found >= 0).all()
        hits = np.take_along_axis(scores, found, axis=1) >= least
        assert recall == pytest.approx(hits.mean(), abs=1e-12)
    recall = table["recall"]
    assert recall[1] < recall[2] < recall[3] == 1
    assert table["low"][1] < recall[1] < table["high"][1]
    assert recall_table(lists, corpus, queries, [])["setting"].tolist() == ["exact"]


def test_fewer_found_than_asked_for(tmp_path, tiny, faiss):
    """A list with few rows gives -1 for the rest: no hits."""
    corpus = EmbeddedCorpus(embedded(tmp_path, titles(80), tiny))
    lists = build_index(corpus, tmp_path / "lists", "IVF40,Flat")
    queries = tiny.encode(titles(20, seed=1))
    found, scores = lists.nearest(queries, 10, "nprobe=1")
    assert (found < 0).any() and np.isneginf(scores[found < 0]).all()
    table = recall_table(lists, corpus, queries, ["nprobe=1"])
    assert table["recall"][1] <= np.mean(found >= 0)


def test_faults_of_an_index(output, tmp_path, tiny, faiss, monkeypatch):
    corpus = EmbeddedCorpus(output)
    folder = tmp_path / "index"
    with pytest.raises(ValueError, match="FAISS reads.* 200 rows. Received: 'What'"):
        build_index(corpus, folder, "What")
    with pytest.raises(ValueError, match="Received: 'Flat' and 'efConstruction=9'"):
        build_index(corpus, folder, "Flat", "efConstruction=9")
    with pytest.raises(
        ValueError, match="train on 20 rows. Received: 'IVF64,Flat' and ''"
    ):
        build_index(corpus, folder, "IVF64,Flat", training_rows=20)
    with pytest.raises(ValueError, match="training_rows.*Received: 0"):
        build_index(corpus, folder, training_rows=0)
    assert not folder.exists()
    index = build_index(corpus, folder, "Flat")
    for queries, count, message in (
        (np.ones((1, 3), "f"), 1, r"array \(n, 16\)"),
        (np.full((1, 16), np.nan, "f"), 1, "16 of them not finite"),
        (np.ones((1, 16), "f"), 201, "between 1 and 200.*Received: 201"),
    ):
        with pytest.raises(ValueError, match=message):
            index.nearest(queries, count)
    with pytest.raises(FileExistsError, match="index exists"):
        build_index(corpus, folder)
    with pytest.raises(
        ValueError, match="setting must be one of the index.*'nprobe=3'"
    ):
        recall_table(index, corpus, tiny.encode(["a"]), ["nprobe=3"])
    other = EmbeddedCorpus(embedded(tmp_path, titles(200, seed=1), tiny))
    with pytest.raises(ValueError, match="made of another corpus"):
        load_index(folder, other)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_index("nowhere", corpus)
    with pytest.raises(ValueError, match="no whole index.*usetune-index.json"):
        load_index(output, corpus)
    manifest = folder / "usetune-index.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"version": 3}))
    with pytest.raises(ValueError, match="usetune-index.json: .*newer usetune"):
        load_index(folder, corpus)
    manifest.write_text(json.dumps(content))
    build_index(other, tmp_path / "other", "Flat")
    files, others = read(folder), read(tmp_path / "other")
    for name, changed in alterations(files, others):
        # Of the manifest, which has no digest of its own, the other one only.
        if name == manifest.name and changed != others[name]:
            continue
        (folder / name).write_bytes(changed)
        with pytest.raises(ValueError, match="index.faiss is not the file|made of"):
            load_index(folder, corpus)
        (folder / name).write_bytes(files[name])
    (folder / "index.faiss").unlink()
    with pytest.raises(ValueError, match="no whole index: .* lacks index.faiss"):
        load_index(folder, corpus)

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr("usetune._utils.extras.importlib.import_module", refuse)
    for call in (lambda: build_index(corpus, "a"), lambda: load_index("a", corpus)):
        with pytest.raises(ImportError, match=r"pip install usetune\[search\]"):
            call()


def test_other_columns_and_an_index_of_pandas(tmp_path, tiny):
    source = tmp_path / "a.parquet"
    frame = pd.DataFrame({"text": titles(5), "note": ["a", None, "b", None, "c"]})
    frame.set_index(pd.Index([7, 8, 12, 10, 11], name="id")).to_parquet(source)
    write_corpus(source, tmp_path / "out", tiny, "float32", 2)
    table = EmbeddedCorpus(tmp_path / "out").rows(np.array([4, 1, 2]))
    assert table["text"].tolist() == frame["text"].iloc[[4, 1, 2]].tolist()
    assert table["note"].fillna("").tolist() == ["c", "", "b"]
    assert table["id"].tolist() == [11, 8, 12]
    assert table.index.tolist() == [4, 1, 2]
