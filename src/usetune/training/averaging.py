"""Averages of weights: several tuned encoders, or a tuned one and its base."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.paths import expand
from usetune.encoders.base import Encoder
from usetune.evaluation.domain import DomainEvaluator
from usetune.protocols import Evaluator
from usetune.training.fine_tuning import FineTuned, fine_tune
from usetune.training.preparation import Pairs, training_sets
from usetune.training.record import RunRecord

# Rows of a weight that `interpolate` handles at a time.
_ROWS = 4096


def interpolate(base: Encoder, tuned: Encoder, alpha: float) -> Encoder:
    """The encoder on the straight line between two, in their weights.

    Where ``tuned`` was trained from ``base``, encoders in between often keep most of
    what was learned and lose less of what was known (WiSE-FT: Wortsman et al., "Robust
    fine-tuning of zero-shot models", 2022, section 3).

    Args:
        base: where ``tuned`` started.
        tuned: an encoder of the same shape.
        alpha: 0 gives ``base``, 1 gives ``tuned``.

    Returns:
        An independent encoder with the weights (1 - alpha) base + alpha tuned.

    Raises:
        ValueError: if the weights differ in shape, the encoders are not behind the same
            projections, or ``alpha`` is not in [0, 1].
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha must be in [0, 1]. Received: {alpha}")
    shapes = [[tuple(v.shape) for v in encoder.variables] for encoder in (base, tuned)]
    if shapes[0] != shapes[1]:
        raise ValueError("base and tuned must have weights of the same shapes")
    projections = [base.projections, tuned.projections]
    if len(projections[0]) != len(projections[1]) or not all(
        map(np.array_equal, *projections)
    ):
        raise ValueError(
            "base and tuned must be behind the same projections. Received: "
            f"{len(projections[0])} and {len(projections[1])}, or other matrices"
        )
    mixed = base.copy()
    for target, end in zip(mixed.variables, tuned.variables, strict=True):
        # In parts, so that no further copy of the embedding table is made.
        for start in range(0, target.shape[0], _ROWS):
            rows = slice(start, start + _ROWS)
            part = target.value[rows]
            part.assign((1 - alpha) * part + alpha * end.value[rows])
    return mixed


def fine_tune_soup(
    encoder: Encoder,
    pairs: Pairs,
    *,
    members: int = 3,
    seed: int = 0,
    optimizer: keras.optimizers.Optimizer | None = None,
    checkpoint: str | Path | None = None,
    log_dir: str | Path | None = None,
    **settings: Any,
) -> FineTuned:
    """Fine-tune several times from one start, and average the weights.

    The average is often better than each of its members, on what was learned and on
    what was known before, at no cost when it is used (Wortsman et al., "Model soups",
    2022, section 3: the uniform soup).

    Args:
        encoder: where every member starts; left as it is.
        pairs: see `fine_tune`. A table is split once, for all members: what one was
            trained on must not validate the average.
        members: number of encoders to train; member i, from 0, has the seed
            ``seed`` + i.
        seed: seed of the first member, and of the split.
        optimizer: see `fine_tune`; each member gets a new one with its configuration.
        checkpoint: a file for each member: for "run.npz" these are run.0.npz, run.1.npz
            and so on.
        log_dir: a folder with a folder for each member: member_0, member_1 and so on.
        **settings: further arguments of `fine_tune`.

    Returns:
        The average encoder with what was measured on the way to it. ``history`` has
        the index levels member and epoch; ``record.runs`` has one run for each member.

    Raises:
        ValueError: if ``members`` is not positive, or as `fine_tune`.
    """
    check_at_least("members", members)
    of_one_set = {
        name: settings.pop(name, None)
        for name in ("validation_data", "split", "loss", "batch_size")
    }
    sets = training_sets(pairs, seed, of_one_set)
    histories: list[pd.DataFrame] = []
    runs: list[RunRecord] = []
    for number in range(members):
        member = fine_tune(
            encoder,
            sets,
            seed=seed + number,
            optimizer=optimizer and optimizer.from_config(optimizer.get_config()),
            checkpoint=_checkpoint_of(number, checkpoint),
            log_dir=None if log_dir is None else Path(log_dir) / f"member_{number}",
            **settings,
        )
        histories.append(member.history)
        runs += member.record.runs
        if number == 0:
            average, record = member.encoder, member.record
        else:
            average = interpolate(average, member.encoder, 1 / (number + 1))
    return FineTuned(
        encoder=average,
        history=pd.concat(dict(enumerate(histories)), names=["member"]),
        data=tuple(sets),
        record=replace(record, runs=tuple(runs)),
    )


def _checkpoint_of(number: int, checkpoint: str | Path | None) -> Path | None:
    if checkpoint is None:
        return None
    path = expand(checkpoint)
    return path.with_name(f"{path.stem}.{number}{path.suffix}")


def trade_off(
    base: Encoder,
    tuned: Encoder,
    alphas: Sequence[float],
    domain: DomainEvaluator,
    measures: Sequence[Evaluator] = (),
    samples: int = 200,
) -> pd.DataFrame:
    """Measure the encoders between base and tuned: what is learned, what is kept.

    Args:
        base: where ``tuned`` started.
        tuned: the tuned encoder.
        alphas: places between them, see `interpolate`.
        domain: what was to be learned.
        measures: further evaluators, of what was to be kept, say.
        samples: bootstrap samples for the intervals.

    Returns:
        DataFrame, one row for each alpha: alpha, the metrics of the measures, and
        those of the domain, each with ``_low`` and ``_high``, its 95 % interval.
    """
    rows = []
    for alpha in alphas:
        encoder = interpolate(base, tuned, alpha)
        row = {"alpha": alpha}
        for measure in measures:
            row |= measure(encoder)
        for name, metric in domain.score(encoder).intervals(samples).iterrows():
            row[name] = metric["value"]
            row[f"{name}_low"], row[f"{name}_high"] = metric["low"], metric["high"]
        rows.append(row)
    return pd.DataFrame(rows)
