"""Settings shared by the tests and by nbval's runs of the notebooks."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Do not compare stderr: TensorFlow writes times and process ids there."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)
