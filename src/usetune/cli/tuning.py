"""``usetune tune``: pairs in, a tuned encoder and what it gained out."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import click
import pandas as pd

from usetune._utils.checks import check_choice
from usetune._utils.files import check_room
from usetune._utils.warn import warn
from usetune.cli.measures import compared, held_out_evaluator
from usetune.data.formats import CLASSES, POSITIVE, format_of
from usetune.data.pairs import load_pairs
from usetune.data.splits import check_leaks, split_pairs
from usetune.encoders.folder import check_destination
from usetune.encoders.loading import load_encoder
from usetune.evaluation.sts import STSEvaluator
from usetune.losses import GIST, EmbeddingLoss, Softmax
from usetune.training.averaging import interpolate, trade_off
from usetune.training.callbacks import EarlyStopping
from usetune.training.fine_tuning import fine_tune
from usetune.training.loss_choice import suggest_loss

_HELD_OUT = 0.25
_ALPHAS = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


@dataclass(frozen=True)
class Tuning:
    """A training, as the command line describes it.

    Attributes:
        pairs: a file that `load_pairs` reads.
        out: the folder to create.
        base: what `load_encoder` takes.
        validation: a file of held-out examples. Default: a quarter of ``pairs``.
        rename: new names for columns.
        loss: the name of one of those that `suggest_loss` gives. Default: its first.
        epochs: see `fine_tune`.
        batch_size: see `fine_tune`.
        seed: of the split and the training.
        alpha: how far from the base: see `interpolate`.
        trade_off: whether to measure the encoders between base and tuned.
        sts: whether to measure the STS benchmark.
        checkpoint: see `fine_tune`.
        overwrite: replace a folder that holds an encoder.
    """

    pairs: str
    out: str
    base: str
    validation: str | None = None
    rename: Mapping[str, str] = field(default_factory=dict)
    loss: str | None = None
    epochs: int = 8
    batch_size: int | None = None
    seed: int = 0
    alpha: float = 1.0
    trade_off: bool = False
    sts: bool = True
    checkpoint: str | None = None
    overwrite: bool = False

    def run(self) -> dict[str, Any]:
        """Train, measure and save.

        Raises:
            ValueError: if a file has a fault, or an option does not fit.
            OSError: if a file cannot be read or written.
        """
        started = time.monotonic()
        # What would be refused at the end is refused before the training.
        try:
            check_destination(self.out, self.overwrite)
        except FileExistsError as error:
            hint = "" if self.overwrite else "; --overwrite replaces an encoder's"
            raise FileExistsError(f"{error}{hint}") from error
        check_room(self.out, 0)
        pairs = load_pairs(self.pairs, self.rename)
        loss = self._loss(pairs)
        training, validation = self._split(pairs)
        corpus: list[str] = []
        if "positive" in pairs:
            both = pd.concat([pairs["positive"], validation["positive"]])
            corpus = both.unique().tolist()
        domain = held_out_evaluator(validation, corpus)
        evaluators: dict[str, Any] = {"held_out": domain} if domain else {}
        if self.sts:
            evaluators["sts"] = STSEvaluator()
        is_positive = format_of(pairs) is POSITIVE
        if self.trade_off and not is_positive:
            raise ValueError(
                f"--trade-off needs {POSITIVE.name}. Received: {format_of(pairs).name}"
            )
        base = load_encoder(self.base)
        result = fine_tune(
            base,
            training,
            validation_data=validation,
            loss=loss,
            batch_size=self.batch_size,
            epochs=self.epochs,
            evaluators=[*evaluators.values()],
            early_stopping=EarlyStopping("mrr@10" if is_positive else "val_loss"),
            seed=self.seed,
            checkpoint=self.checkpoint,
            verbose=1 if sys.stderr.isatty() else 2,
        )
        tuned, run = result.encoder, result.record.runs[0]
        if self.alpha != 1:
            tuned = interpolate(base, tuned, self.alpha)
        tuned.save(self.out, overwrite=self.overwrite)
        used = len(training) + (0 if self.validation else len(validation))
        report = {
            "pairs": self.pairs,
            "format": format_of(pairs).name,
            "training": len(training),
            "validation": len(validation),
            "left_out": len(pairs) - used,
            "loss": type(result.data[0].loss).__name__,
            "epochs": run.epochs,
            "kept_epoch": run.kept_epoch,
            "alpha": self.alpha,
            "out": self.out,
        } | compared(evaluators, base, tuned)
        if self.trade_off:
            others = [evaluators["sts"]] if self.sts else []
            between = trade_off(
                base, result.encoder, _ALPHAS, evaluators["held_out"], others
            )
            report["trade_off"] = between.set_index("alpha")
        return report | {"seconds": round(time.monotonic() - started, 1)}

    def _split(self, pairs: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Training and validation, and what they have in common said."""
        if self.validation is not None:
            known = format_of(pairs).name
            training = pairs
            validation = load_pairs(self.validation, self.rename, known)
        elif "positive" in pairs:
            # Without groups, the thing that a text belongs to is its own group.
            grouped = pairs.assign(group=pairs.get("group", pairs["positive"]))
            training, validation = split_pairs(grouped, _HELD_OUT, "group", self.seed)
            training, validation = training[[*pairs]], validation[[*pairs]]
        else:
            how = "couples" if format_of(pairs) is CLASSES else "stratified"
            training, validation = split_pairs(pairs, _HELD_OUT, how, self.seed)
        try:
            check_leaks(training, validation)
        except ValueError as error:
            source = self.validation or self.pairs
            warn(f"{source}: {error}; what is measured on them flatters")
        return training, validation

    def _loss(self, pairs: pd.DataFrame) -> EmbeddingLoss | None:
        suggestion = suggest_loss(pairs)
        click.echo(str(suggestion), err=True)
        if self.loss is None:
            return None
        # These two need arguments, a guide and the number of classes.
        losses = {
            loss.__name__: loss
            for loss in suggestion.losses
            if loss not in (GIST, Softmax)
        }
        check_choice("--loss", self.loss, losses)
        return losses[self.loss]()
