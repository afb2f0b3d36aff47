"""``python -m usetune``, the same as ``usetune``."""

from usetune.cli.commands import main

main()
