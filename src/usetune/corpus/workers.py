"""Workers of Ray that embed the parts of a corpus."""

from __future__ import annotations

import logging
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

from usetune._utils.extras import require
from usetune._utils.warn import warn
from usetune.corpus.job import Job, Part, Resources
from usetune.corpus.outcome import Outcome, attempt, follow
from usetune.encoders.base import Encoder

# The file of the encoder in the work folder.
_ENCODER = "encoder.tar"


def import_ray() -> ModuleType:
    """Import Ray, and let it send no statistics.

    Raises:
        ImportError: saying how to install it.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    require("ray.data", "cluster", "a corpus that is spread over workers")
    return require("ray", "cluster", "a corpus that is spread over workers")


def pack_encoder(encoder: Encoder) -> bytes:
    """Save an encoder to a tar file, and give its bytes."""
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "encoder"
        encoder.save(folder)
        archive = shutil.make_archive(str(folder), "tar", folder)
        return Path(archive).read_bytes()


def run(parts: Sequence[Part], archive: bytes, job: Job, resources: Resources) -> None:
    """Embed parts, in any order.

    Args:
        parts: one part or more.
        archive: the encoder, by `pack_encoder`.
        job: what is done with each part. All machines see its folders.
        resources: what the workers may take.

    Raises:
        ValueError: if there are not as many GPUs here, or if an address is given and
            this process has joined a Ray already.
        RuntimeError: naming parts that could not be embedded, after all others; or if
            workers cannot start.
    """
    shutil.rmtree(job.work, ignore_errors=True)
    job.work.mkdir()
    (job.work / _ENCODER).write_bytes(archive)
    threads = max(1, int(resources.cpus_per_worker))
    with _running(resources) as ray:
        _check_room(ray.cluster_resources(), resources)
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
            fn_constructor_args=(job, threads),
            batch_size=1,
            batch_format="pandas",
            compute=ray.data.ActorPoolStrategy(size=min(resources.workers, len(parts))),
            num_cpus=resources.cpus_per_worker,
            num_gpus=resources.gpus_per_worker,
        )
        outcomes = (Outcome(**fields) for fields in data.iter_rows())
        try:
            follow(outcomes, sum(part.rows for part in parts))
        except ray.exceptions.RayError as error:
            raise RuntimeError(f"the workers cannot go on: {error}") from error


class _Worker:
    """An actor of Ray, which holds the encoder and embeds one part after the other."""

    def __init__(self, job: Job, threads: int) -> None:
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
        self._job = job
        with tempfile.TemporaryDirectory() as folder:
            shutil.unpack_archive(job.work / _ENCODER, folder, filter="data")
            self._encoder = load_encoder(folder)

    def __call__(self, batch: Any) -> dict[str, list[Any]]:
        (fields,) = batch.to_dict("records")
        outcome = attempt(Part(**fields), self._job, self._encoder)
        return {name: [value] for name, value in asdict(outcome).items()}


@contextmanager
def _running(resources: Resources) -> Iterator[ModuleType]:
    """Join a Ray, or start one and shut it down at the end."""
    ray = import_ray()
    address = resources.address
    options: dict[str, Any] = {"address": address}
    if address is None:
        options = {
            "address": "local",
            "num_cpus": math.ceil(resources.workers * resources.cpus_per_worker),
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
        yield ray
    finally:
        if own:
            ray.shutdown()


def _check_room(found: dict[str, float], resources: Resources) -> None:
    has_cpus, has_gpus = found.get("CPU", 0), found.get("GPU", 0)
    workers = resources.workers
    cpus, gpus = resources.cpus_per_worker, resources.gpus_per_worker
    if resources.address is None and has_gpus < workers * gpus:
        raise ValueError(
            "workers times gpus_per_worker must be at most the GPUs that Ray finds "
            f"here, {has_gpus:g}. Received: {workers} times {gpus}"
        )
    if has_cpus < cpus or has_gpus < gpus:
        # A cluster may start machines when it is asked for them.
        warn(
            f"no worker has room yet: each takes {cpus:g} CPUs and {gpus:g} GPUs, "
            f"and Ray has {has_cpus:g} and {has_gpus:g}; waiting for more"
        )
