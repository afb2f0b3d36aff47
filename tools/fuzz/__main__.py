"""Try every reader on inputs that are damaged or made up: ``python -m tools.fuzz``.

A process for each reader takes its inputs one by one, under a bound on memory; one that
takes too long or dies is counted as obscure, and the next input goes on.
"""

import argparse
import json
import os
import resource
import selectors
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
# Of one input, with the first one's imports and templates.
_SECONDS, _FIRST_SECONDS = 60, 400
# Address space beyond what libraries take when they are loaded.
_ROOM = 3 << 30
# Kinds that are shown, with so many of each.
_SHOWN, _MOST_SHOWN = ("obscure", "wrong"), 5


def main() -> None:
    """Run what the command line asks for; fail if a reader is obscure or wrong."""
    parser = argparse.ArgumentParser(prog="python -m tools.fuzz", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="of 27,000 inputs")
    parser.add_argument("--minutes", type=float, default=60, help="bound on all")
    parser.add_argument("--only", default="", help="readers whose names have this")
    parser.add_argument("--first", type=int, default=0, help="number of an input")
    parser.add_argument("--jobs", type=int, default=2, help="readers tried at once")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        _child(options.child, options.seed, options.first)
        return
    deadline = time.monotonic() + 60 * options.minutes
    readers = [reader for reader in _counts() if options.only in reader[0]]

    def tried(reader: tuple[str, int]) -> tuple[Counter[str], list[str]]:
        name, count = reader
        wanted = max(1, round(count * options.share))
        return _tried(name, options.seed, range(first, first + wanted), deadline)

    first, total = options.first, Counter[str]()
    with ThreadPool(options.jobs) as pool:
        for (name, _), found in zip(readers, pool.imap(tried, readers), strict=True):
            counts, faults = found
            _print_row(name, counts)
            total += counts
            for fault in faults:
                print(fault, flush=True)
    _print_row("all", total)
    sys.exit(bool(total["obscure"] or total["wrong"]))


def _tried(
    name: str, seed: int, inputs: range, deadline: float
) -> tuple[Counter[str], list[str]]:
    """Verdicts on the inputs of a reader, and the first faults with how to repeat."""
    counts: Counter[str] = Counter()
    shown = []
    for number, fields in _outcomes(name, seed, inputs, deadline):
        kind = fields["verdict"]
        counts[kind] += 1
        if kind in _SHOWN and counts[kind] <= _MOST_SHOWN:
            again = f"--only {name!r} --seed {seed} --first {number} --share 0.0001"
            what, why = fields["what"], fields["why"]
            shown.append(f"{kind}, {name}: {what}\n    {why}\n    {again}")
    return counts, shown


def _print_row(name: str, counts: Counter[str]) -> None:
    kinds = ("right", "clear", "obscure", "wrong", "undetectable")
    cells = "".join(f"{counts[kind]:>8,} {kind}" for kind in kinds)
    print(f"{name:<28}{sum(counts.values()):>8,}{cells}", flush=True)


def _counts() -> list[tuple[str, int]]:
    """Names of the readers, and how many inputs each gets, without an import here."""
    command = [sys.executable, "-c", "from tools.fuzz.readers import show; show()"]
    shown = subprocess.run(command, cwd=ROOT, env=_environment(), stdout=-1, check=True)
    return [tuple(row) for row in json.loads(shown.stdout.splitlines()[-1])]


def _environment() -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}


def _outcomes(
    name: str, seed: int, inputs: range, deadline: float
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number of each input, and its verdict, from processes that may die."""
    number = inputs.start
    while number < inputs.stop:
        command = [sys.executable, "-m", "tools.fuzz", "--child", name]
        command += ["--seed", str(seed), "--first", str(number)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=_environment(), stdout=-1, stderr=-3, text=True
        )
        seconds = _FIRST_SECONDS
        with process:
            while number < inputs.stop:
                line = _line(process, seconds)
                if time.monotonic() > deadline:
                    print(f"{name}: out of time at input {number}")
                    process.kill()
                    return
                if not line:
                    break
                if line.startswith("{"):
                    yield number, json.loads(line)
                    number, seconds = number + 1, _SECONDS
            process.kill()
        if number < inputs.stop:
            why = f"no answer in {seconds} s" if line is None else "the process died"
            yield number, {"verdict": "obscure", "what": f"input {number}", "why": why}
            number += 1


def _line(process: subprocess.Popen[str], seconds: float) -> str | None:
    """The next line; "" at the end, None where none comes."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(seconds) else None


def _child(name: str, seed: int, first: int) -> None:
    """Write the verdict of each input to a line of its own, until killed."""
    from tools.fuzz.readers import cases
    from tools.fuzz.verdicts import verdict

    # Libraries may print, too.
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    with tempfile.TemporaryDirectory() as templates:
        for case in cases(name, seed, first, Path(templates)):
            _bound_memory()
            found, why = verdict(case)
            fields = {"verdict": found, "what": case.what[:300], "why": why[:400]}
            out.write(json.dumps(fields) + "\n")


def _bound_memory(bounded: list[int] = []) -> None:  # noqa: B006
    """Allow for little more than what the first input has taken."""
    if not bounded:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        bounded.append(pages * resource.getpagesize() + _ROOM)
        resource.setrlimit(resource.RLIMIT_AS, (bounded[0], -1))


if __name__ == "__main__":
    main()
