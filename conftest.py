"""Settings shared by the tests and by nbval's runs of the notebooks."""

import re
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

# Folders whose files take longest.
SLOW = {"corpus", "training", "encoders"}


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Do not compare stderr: TensorFlow writes times and process ids there."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Slow files first, so that none is left for the end, when processes idle."""
    items.sort(
        key=lambda item: SLOW.isdisjoint(item.path.relative_to(config.rootpath).parts)
    )


class ByFile(LoadFileScheduling):
    """A file to a process, but notebooks 1 to 3 to one: 3 reads what 2 has written."""

    def _split_scope(self, nodeid: str) -> str:
        file = super()._split_scope(nodeid)
        return re.sub(r"^notebooks/0[123]_.*", "notebooks 1 to 3", file)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    """What distributes the tests in place of xdist's own schedulers."""
    return ByFile(config, log)
