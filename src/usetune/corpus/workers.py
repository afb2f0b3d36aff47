"""Workers of Ray that embed the parts of a corpus."""

from __future__ import annotations

import logging
import math
import os
import tempfile
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from tqdm import tqdm

from usetune._utils.extras import require
from usetune.corpus.part import embed_part
from usetune.corpus.plan import Part

# How often a part may lose its worker.
_ATTEMPTS = 3
# So many parts with faults end a run: the disk may be full.
_FAULTS = 10
_ATTEMPTS_OF = "{}.attempts"


def import_ray() -> ModuleType:
    """Import Ray, which then sends no statistics of its use.

    Raises:
        ImportError: saying how to install it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    require("ray.data", "cluster", "a corpus that is spread over workers")
    return require("ray", "cluster", "a corpus that is spread over workers")


def run(
    parts: Sequence[Part],
    archive: Path,
    settings: tuple[Any, ...],
    workers: int,
    cpus: float,
    gpus: float,
    address: str | None,
) -> None:
    """Embed parts, in any order.

    Args:
        parts: one or more.
        archive: a zip file of the encoder's folder, that all machines see.
        settings: column, types, precision, work folder and output folder, see
            `usetune.corpus.part.embed_part`.
        workers: how many.
        cpus: of each worker.
        gpus: of each worker.
        address: of a cluster, or None.

    Raises:
        ValueError: if there are not as many GPUs here, or if ``address`` is given and
            this process has joined a Ray already.
        RuntimeError: naming parts that could not be embedded, after all others; or if
            workers cannot start.
    """
    for path in archive.parent.glob(_ATTEMPTS_OF.format("*")):
        path.unlink()
    with _running(address, workers, cpus, gpus) as ray:
        # One block for each part, so that a lost worker costs one part. Ray Data starts
        # lost workers again, and gives their parts out again, without end.
        data = ray.data.from_items(
            [asdict(part) for part in parts], override_num_blocks=len(parts)
        )
        data.context.enable_progress_bars = False
        # A part may take long, and a cluster may have to start machines first.
        data.context.execution_no_progress_timeout_s = -1
        data = data.map_batches(
            _Worker,
            fn_constructor_args=(archive, settings, max(1, int(cpus))),
            batch_size=1,
            batch_format="pandas",
            compute=ray.data.ActorPoolStrategy(size=min(workers, len(parts))),
            num_cpus=cpus,
            num_gpus=gpus,
        )
        try:
            _follow(data.iter_rows(), sum(part.stop - part.start for part in parts))
        except ray.exceptions.RayError as error:
            raise RuntimeError(f"the workers cannot go on: {error}") from error


class _Worker:
    """An actor of Ray: the encoder, and what to do with a part."""

    def __init__(self, archive: Path, settings: tuple[Any, ...], threads: int) -> None:
        import ray
        import tensorflow as tf

        from usetune.devices import prepare_device
        from usetune.encoders.loading import load_encoder

        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(threads)
        if ray.get_gpu_ids():
            prepare_device()
        else:
            tf.config.set_visible_devices([], "GPU")
        self._settings = settings
        with tempfile.TemporaryDirectory() as folder:
            with zipfile.ZipFile(archive) as files:
                files.extractall(folder)
            self._encoder = load_encoder(folder)

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        (fields,) = batch.to_dict("records")
        part = Part(**fields)
        column, types, precision, work, output = self._settings
        fault = ""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                _count_attempt(part, work)
                embed_part(part, column, types, self._encoder, precision, work, output)
            except Exception as error:
                # Raised here, it would end the run, and reach the caller as Ray's.
                fault = f"{part.name} of {part.file}: {type(error).__name__}: {error}"
        messages = "\n".join(f"{part.name}: {warning.message}" for warning in caught)
        rows = part.stop - part.start
        return {"rows": [rows], "warnings": [messages], "fault": [fault]}


def _count_attempt(part: Part, work: Path) -> None:
    """Refuse a part that seems to kill its workers."""
    path = work / _ATTEMPTS_OF.format(part.name)
    before = path.stat().st_size if path.exists() else 0
    if before == _ATTEMPTS:
        raise RuntimeError(
            f"{part.file}, rows {part.start + 1} to {part.stop}: {before} workers died "
            "over them. One that lacks memory is killed: give workers more, or start "
            "in a new folder with fewer rows_per_part. Otherwise call again: finished "
            "parts are kept"
        )
    with open(path, "ab") as file:
        file.write(b".")


@contextmanager
def _running(
    address: str | None, workers: int, cpus: float, gpus: float
) -> Iterator[ModuleType]:
    """Join a Ray, or start one and shut it down."""
    ray = import_ray()
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": math.ceil(workers * cpus),
            "include_dashboard": False,
        }
    own = not ray.is_initialized()
    if not own and address is not None:
        raise ValueError(
            "address must be None, as this process has joined a Ray already; "
            f"ray.shutdown() leaves it. Received: {address!r}"
        )
    if own:
        ray.init(**options, logging_level=logging.WARNING, log_to_driver=False)
    logging.getLogger("ray.data").setLevel(logging.WARNING)
    # It warns that its progress bars are off.
    logging.getLogger("ray.data._internal.progress").setLevel(logging.ERROR)
    try:
        found = ray.cluster_resources()
        has_cpus, has_gpus = found.get("CPU", 0), found.get("GPU", 0)
        if address is None and has_gpus < workers * gpus:
            raise ValueError(
                "workers times gpus_per_worker must be at most the GPUs that Ray finds "
                f"here, {has_gpus:g}. Received: {workers} times {gpus}"
            )
        if has_cpus < cpus or has_gpus < gpus:
            # A cluster may start machines when it is asked for them.
            warnings.warn(
                f"no worker has room yet: each takes {cpus:g} CPUs and {gpus:g} GPUs, "
                f"and Ray has {has_cpus:g} and {has_gpus:g}; waiting for more",
                stacklevel=5,
            )
        yield ray
    finally:
        if own:
            ray.shutdown()


def _follow(results: Iterator[dict[str, Any]], total: int) -> None:
    """Show the progress, and tell of the workers' faults and warnings."""
    faults, messages = [], []
    with tqdm(total=total, desc="embed_corpus", unit="row", unit_scale=True) as bar:
        for result in results:
            bar.update(result["rows"])
            if result["fault"]:
                faults.append(result["fault"])
            messages += filter(None, result["warnings"].split("\n"))
            if len(faults) == _FAULTS:
                break
    if messages:
        warnings.warn(
            f"the workers gave {len(messages)} warnings, the first in {messages[0]}",
            stacklevel=4,
        )
    if faults:
        raise RuntimeError(
            f"{len(faults)} parts could not be embedded; the next call tries them and "
            "what is missing again:\n" + "\n".join(faults)
        )
