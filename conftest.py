"""Settings shared by the tests and by nbval's runs of the notebooks."""

import pytest


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Do not compare stderr: TensorFlow writes times and process ids there."""
    if hasattr(collector, "skip_compare"):
        collector.skip_compare += ("stderr",)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """One process for all cells of a notebook, and for notebooks 1 to 3.

    Notebook 3 reads what notebook 2 has written.
    """
    for item in items:
        if item.path.suffix == ".ipynb":
            of_article = item.path.parent.name == "notebooks" and item.path.name < "04"
            name = "article" if of_article else str(item.path)
            item.add_marker(pytest.mark.xdist_group(name))
