"""Which versions a file or a training came from."""

import platform
from importlib import metadata

_PACKAGES = ("usetune", "tensorflow", "tensorflow-text", "keras", "numpy", "pandas")


def package_versions() -> dict[str, str | None]:
    """Versions of Python and of the packages that results depend on.

    None stands for a package that is not installed: usetune itself, where it runs from
    a checkout.
    """
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = None
    return found
