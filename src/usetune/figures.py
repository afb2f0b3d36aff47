"""Names of figures."""

from collections.abc import Mapping


def named(figures: Mapping[str, float], name: str) -> dict[str, float]:
    """Figures with the name of their measure before their own, if it has one."""
    return {f"{name}_{key}" if name else key: x for key, x in figures.items()}
