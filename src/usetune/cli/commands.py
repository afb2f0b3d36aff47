"""The commands with their options. What they do is in the modules beside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from typing import Any

import click

import usetune.cli
from usetune.cli.group import Commands

_DEFAULT = "use-multilingual"
_HANDLE = "A name, an address or a folder, as usetune.load_encoder takes it."
_COUNT = click.IntRange(min=1)


def _renamed(
    _: click.Context, __: click.Parameter, values: Sequence[str]
) -> dict[str, str]:
    parts = [value.partition("=") for value in values]
    for value, (old, _equals, new) in zip(values, parts, strict=True):
        if not old or not new:
            raise click.BadParameter(f"{value!r} is not OLD=NEW")
    return {old: new for old, _equals, new in parts}


_json = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead of text."
)
_overwrite = click.option(
    "--overwrite", is_flag=True, help="Replace what --out names, if it exists."
)
_rename = click.option(
    "--rename",
    metavar="OLD=NEW",
    multiple=True,
    callback=_renamed,
    help="A column of the file, and what usetune calls it. May be repeated.",
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="usetune")
def commands() -> None:
    """Adapt a pre-trained sentence encoder to your domain.

    \b
    usetune tune pairs.csv --out tuned        train on pairs, say what was gained
    usetune score tuned --base use-multilingual
    usetune embed titles.csv --encoder tuned --out titles.npy
    usetune page --tuned tuned                try it in a browser

    Results go to the standard output, progress and warnings to the standard error. Exit
    codes: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
    """


@commands.command()
@click.argument("pairs")
@click.option("--out", required=True, help="Folder for the tuned encoder.")
@click.option("--base", default=_DEFAULT, show_default=True, help=_HANDLE)
@click.option(
    "--validation",
    metavar="FILE",
    help="Held-out examples. Default: a quarter of PAIRS, whole groups where they are "
    "positive pairs or triplets.",
)
@_rename
@click.option("--loss", help="One of the losses that fit. Default: the first listed.")
@click.option(
    "--epochs", type=_COUNT, default=8, show_default=True, help="At most so many."
)
@click.option(
    "--batch-size", type=_COUNT, help="Default: 8 for scored pairs, else 128."
)
@click.option("--seed", default=0, show_default=True, help="Same seed, same weights.")
@click.option(
    "--alpha",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Save the encoder so far from the base: 0 is the base, 1 the tuned one.",
)
@click.option("--trade-off", is_flag=True, help="Measure six values of --alpha.")
@click.option("--sts/--no-sts", default=True, help="Measure the STS benchmark, or not.")
@click.option(
    "--checkpoint",
    metavar="FILE",
    help="State of the training (.npz), from which the same command goes on.",
)
@_overwrite
@_json
def tune(as_json: bool, **options: Any) -> None:
    """Train an encoder on PAIRS, and compare it with its base on held-out ones.

    PAIRS is a CSV, JSON Lines or Parquet file with the columns anchor, positive and
    perhaps group; or base, ref, similarity; or another format of usetune.load_pairs. It
    is read and never written.

    \b
    usetune tune pairs.csv --out tuned
    usetune tune pairs.csv --out tuned --rename title=anchor --rename name=positive
    usetune tune pairs.csv --out tuned --alpha 0.6 --checkpoint run.npz --json

    The epoch is chosen by the held-out examples, so that their figures flatter a
    little; `usetune score` measures others.
    """
    _show(lambda: usetune.cli.tuning.Tuning(**options).run(), as_json)


@commands.command()
@click.argument("encoder", default=_DEFAULT)
@click.option("--base", help=f"Compare with this encoder. {_HANDLE}")
@click.option("--pairs", metavar="FILE", help="Measure on these examples as well.")
@_rename
@click.option(
    "--split",
    type=click.Choice(["train", "dev", "test"]),
    default="dev",
    show_default=True,
    help="Of the STS benchmark.",
)
@click.option("--language", default="en", show_default=True, help="Of the same.")
@_json
def score(as_json: bool, **options: Any) -> None:
    """Score ENCODER on the STS benchmark, and on pairs; with --base against another.

    ENCODER is a name, an address or a folder. Alone, its metrics have 95 % intervals;
    with --base, the interval is of the difference, on the same examples.

    \b
    usetune score
    usetune score tuned --base use-multilingual
    usetune score tuned --base use-multilingual --pairs held_out.csv --json
    """
    _show(lambda: usetune.cli.scoring.score(**options), as_json)


@commands.command()
@click.argument("texts")
@click.option("--out", required=True, help="File that ends in .npy or .parquet.")
@click.option("--encoder", default=_DEFAULT, show_default=True, help=_HANDLE)
@click.option("--column", help="Of a table: the one with the texts.")
@_overwrite
@_json
def embed(as_json: bool, **options: Any) -> None:
    """Embed the file TEXTS, row by row.

    TEXTS is plain text (.txt), a text on each line, or a CSV, JSON Lines or Parquet
    file. A .npy file holds an array (rows, dim) of float32, a .parquet file the columns
    of the table and "embedding". What does not fit into memory is for
    usetune.embed_corpus.

    \b
    usetune embed titles.txt --out titles.npy
    usetune embed jobs.csv --column title --encoder tuned --out jobs.parquet
    """
    _show(lambda: usetune.cli.embedding.embed(**options), as_json)


@commands.command()
@click.option("--base", default=_DEFAULT, show_default=True, help=_HANDLE)
@click.option("--tuned", help="A second encoder, to compare.")
@click.option("--titles", metavar="FILE", help="CSV or text file of titles to search.")
@click.option("--port", type=int, help="Default: the first free one from 7860 on.")
@_json
def page(as_json: bool, **options: Any) -> None:
    """Open a page to try encoders, on this machine only, until Ctrl-C.

    \b
    usetune page
    usetune page --tuned tuned --titles titles.txt
    """
    with redirect_stdout(sys.stderr):
        blocks = usetune.cli.paging.open_page(**options)
    _show(lambda: {"address": blocks.local_url}, as_json)
    with redirect_stdout(sys.stderr):
        blocks.block_thread()


def _show(work: Callable[[], dict[str, Any]], as_json: bool) -> None:
    """Do the work of a command, its progress on the standard error; print its report.

    Keras prints its progress, and Gradio its address, where results belong.
    """
    with redirect_stdout(sys.stderr):
        report = work()
        reporting = usetune.cli.reporting
        text = reporting.as_json(report) if as_json else reporting.as_text(report)
    click.echo(text)


def main() -> None:
    """Run the command line of this process."""
    commands(prog_name="usetune")
