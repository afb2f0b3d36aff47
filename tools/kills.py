"""Kill calls at random moments, call again, and compare with an undisturbed run.

Five jobs: a training with a checkpoint, `save` over an older folder, `export`,
`build_index` and `embed_corpus`. Each call runs in a process of its own that is killed
by SIGKILL; half of the kills come at any moment, half while files are written. Then
the same call is made again. Its result must equal the undisturbed one, and no other
file may lie beside it. ``make kills`` runs it, with RAY_AUTH_MODE=disabled: calls join
the Ray of another process, whose token they do not have.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pandas as pd
import ray
import ray.data  # noqa: F401  Imported before processes are forked.

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.fakes.tiny_encoder import TinyEncoder  # noqa: E402
from usetune import fine_tune, load_encoder  # noqa: E402
from usetune._utils.digest import digest  # noqa: E402
from usetune.corpus import (  # noqa: E402
    EmbeddedCorpus,
    build_index,
    embed_corpus,
    load_index,
)

TEXTS = [f"{level} {title}" for level in ("junior", "senior") for title in "abcdefgh"]
# How often each job is killed.
KILLS = {"train": 14, "save": 12, "export": 12, "index": 10, "embed": 6}
# Calls of Python that change files, as its audit hooks name them.
_WRITES = {"open", "os.mkdir", "os.rename", "shutil.rmtree", "tempfile.mkdtemp"}
# Seconds that a kill in the middle of a write comes after one of these, at most.
_LATER = 0.03
# Names the Ray that calls join.
_ADDRESS = "KILLS_RAY_ADDRESS"
# Seconds after which a call hangs.
_HANGS = 300


def train(folder: Path) -> Any:
    """A training that goes on from its checkpoint."""
    pairs = pd.DataFrame({"anchor": TEXTS, "positive": TEXTS[::-1]})
    state = folder / "training.npz"
    tuned = fine_tune(
        TinyEncoder(), pairs, validation_data=pairs, epochs=8, checkpoint=state
    )
    return [tuned.encoder.get_weights(), tuned.history]


def save(folder: Path) -> Any:
    """An encoder in the place of an older one."""
    TinyEncoder(seed=1).truncate(8).save(folder / "saved", overwrite=True)
    return load_encoder(folder / "saved").encode(TEXTS)


def export(folder: Path) -> Any:
    """A new SavedModel; a complete one is not replaced."""
    with contextlib.suppress(FileExistsError):
        TinyEncoder(seed=1).export(folder / "exported")
    return load_encoder(folder / "exported").encode(TEXTS)


def index(folder: Path) -> Any:
    """A new index; a complete one is not replaced."""
    # Threads would add rows in any order.
    faiss.omp_set_num_threads(1)
    corpus = EmbeddedCorpus(folder / "embedded")
    with contextlib.suppress(FileExistsError):
        build_index(corpus, folder / "index")
    found = load_index(folder / "index", corpus)
    return [*found.nearest(TinyEncoder().encode(TEXTS), 5)]


def embed(folder: Path) -> Any:
    """A corpus of four parts."""
    output = folder / "embedded"
    texts = folder / "corpus.txt"
    address = os.environ[_ADDRESS]
    embed_corpus(
        TinyEncoder(), texts, output, "text", rows_per_part=500, address=address
    )
    corpus = EmbeddedCorpus(output)
    return [corpus[:], corpus.rows(np.arange(len(corpus)))]


JOBS: dict[str, Callable[[Path], Any]] = {
    "embed": embed,
    "train": train,
    "save": save,
    "export": export,
    "index": index,
}


@dataclass(frozen=True)
class Kill:
    """When a call is killed.

    Attributes:
        after: seconds from its beginning, or from the write.
        write: number of a write, from 1; 0 for any moment.
    """

    after: float
    write: int = 0


@dataclass(frozen=True)
class Ending:
    """How a call ended.

    Attributes:
        killed: whether it was killed before its end.
        result: SHA-256 of what it returned, or its error.
        writes: how many there were.
        seconds: that it took.
    """

    killed: bool
    result: str
    writes: int
    seconds: float


def call(name: str, folder: Path, kill: Kill | None = None) -> Ending:
    """Call a job in a process of its own, and perhaps kill it."""
    reading, writing = os.pipe()
    started = time.monotonic()
    process = os.fork()
    if not process:
        os.close(reading)
        _be_called(name, folder, writing, kill)
    os.close(writing)
    with open(reading) as lines:
        if kill and not kill.write:
            time.sleep(kill.after)
            os.kill(process, signal.SIGKILL)
        answers = []
        for line in lines:
            answers.append(json.loads(line))
            if answers[-1] == "write":
                time.sleep(kill.after)
                os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    seconds = time.monotonic() - started
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            raise RuntimeError(f"{name} ended by signal {os.WTERMSIG(status)}")
        return Ending(True, "", 0, seconds)
    return Ending(False, *answers[-1], seconds)


@contextlib.contextmanager
def running_ray() -> Iterator[None]:
    """A Ray for the calls to join, in a process that nobody kills."""
    reading, writing = os.pipe()
    process = os.fork()
    if not process:
        ray.init(address="local", num_cpus=4, include_dashboard=False)
        os.write(writing, ray.get_runtime_context().gcs_address.encode())
        signal.pause()
    os.close(writing)
    os.environ[_ADDRESS] = os.read(reading, 100).decode()
    try:
        yield
    finally:
        os.kill(process, signal.SIGINT)
        os.waitpid(process, 0)


def _be_called(name: str, folder: Path, answers: int, kill: Kill | None) -> None:
    """What the process does; it does not return."""
    signal.alarm(_HANGS)
    writes = 0

    def say(answer: Any) -> None:
        os.write(answers, f"{json.dumps(answer)}\n".encode())

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal writes
        if event in _WRITES and str(folder) in str(arguments):
            writes += 1
            if kill and writes == kill.write:
                if not kill.after:
                    os.kill(os.getpid(), signal.SIGKILL)
                say("write")

    with open(os.devnull, "w") as nothing:
        os.dup2(nothing.fileno(), 2)
    warnings.simplefilter("ignore")
    sys.addaudithook(watch)
    try:
        result = digest(JOBS[name](folder))
    except BaseException:
        result = traceback.format_exc()
    say([result, writes])
    os._exit(0)


def moment(number: int, whole: Ending, random: np.random.Generator) -> Kill:
    """When a job is killed: half at any moment, a quarter at and after a write."""
    if number % 2:
        return Kill(random.uniform(0, whole.seconds))
    after = random.uniform(0, _LATER) * (number % 4 > 0)
    return Kill(after, int(random.integers(whole.writes)) + 1)


def names(folder: Path) -> list[str]:
    """Everything in a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def lost(begun: Path, folder: Path) -> list[str]:
    """What was there before, and is neither there nor moved aside."""
    return [
        own.name
        for own in begun.iterdir()
        if not (folder / own.name).exists()
        and not [*folder.glob(f".{own.name}.*/{own.name}.old")]
    ]


def main() -> None:
    """Kill, call again, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("jobs", nargs="*", default=[*JOBS], help=f"of {[*JOBS]}")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random, rows = np.random.default_rng(arguments.seed), []
    with tempfile.TemporaryDirectory() as root, running_ray():
        begun = Path(root, "begun")
        begun.mkdir()
        lines = "".join(f"{TEXTS[i % 16]} {i}\n" for i in range(2000))
        (begun / "corpus.txt").write_text(lines)
        call("save", begun)
        for name in arguments.jobs:
            whole = Path(root, f"{name}-undisturbed")
            shutil.copytree(begun, whole)
            expected = call(name, whole)
            if len(expected.result) != 64:
                raise RuntimeError(expected.result)
            tried = []
            while sum(own["kills"] for own in tried) < KILLS[name]:
                kill = moment(len(tried), expected, random)
                folder = Path(root, f"{name}-killed")
                shutil.copytree(begun, folder)
                before = call(name, folder, kill)
                hidden = any("/." in f"/{path}" for path in names(folder))
                gone = lost(begun, folder)
                again = call(name, folder)
                left = {*names(folder)} ^ {*names(whole)}
                if gone or left or again.result != expected.result:
                    print(f"{name}, {kill}: {gone} {left} {again.result}", flush=True)
                tried.append(
                    {
                        "kills": before.killed,
                        "at a write": before.killed and kill.write > 0,
                        "hidden folder left": hidden,
                        "lost": bool(gone),
                        "another result": again.result != expected.result,
                        "left in the end": bool(left),
                    }
                )
                shutil.rmtree(folder)
                if not before.killed:
                    # The machine was slower before.
                    seconds = min(before.seconds, expected.seconds)
                    expected = replace(expected, seconds=seconds)
            if name == "embed":
                # What indexes are made of.
                shutil.copytree(whole / "embedded", begun / "embedded")
            rows.append(pd.DataFrame(tried).sum().rename(name))
            print(rows[-1].to_dict(), name, flush=True)
    table = pd.DataFrame(rows)
    table.loc["all"] = table.sum()
    print(table.to_string())
    sys.exit(int(table.loc["all", "lost":].sum()) > 0)


if __name__ == "__main__":
    main()
