"""Settings shared by the tests and by nbval's runs of the notebooks."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Do not compare stderr: TensorFlow writes times and process ids there."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep a notebook in one process of `--dist loadgroup`, and 1 to 3 in the same.

    Notebook 3 reads what notebook 2 has written.
    """
    for item in items:
        if item.path.suffix == ".ipynb":
            is_article = item.path.match("notebooks/0[123]_*")
            group = "article" if is_article else str(item.path)
            item.add_marker(pytest.mark.xdist_group(group))
