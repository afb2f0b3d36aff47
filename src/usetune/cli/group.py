"""How the program ends: failures in one line, warnings, exit codes."""

import os
import warnings
from typing import Any, TextIO

import click

# How a column is renamed, in errors of the package and in those of this program.
_IN_PYTHON, _HERE = "names={'title': 'anchor'}", "--rename title=anchor"
_FAILED, _INTERRUPTED = 1, 130
_ENDED_BY_CLICK = click.ClickException, click.Abort, click.exceptions.Exit
# Of the environment: set, a failure has its traceback.
_TRACEBACK = "USETUNE_TRACEBACK"


class Commands(click.Group):
    """Commands whose failures are one line, without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command.

        Exit codes: 0, 1 for a failure, 2 for wrong usage, 130 after Ctrl-C.
        """
        # TensorFlow tells of its devices and of every library that it misses.
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except (*_ENDED_BY_CLICK, BrokenPipeError):
            # The last is of `usetune … | head`; click ends quietly.
            raise
        # Each library below, TensorFlow say, has errors of its own.
        except Exception as error:
            if os.environ.get(_TRACEBACK):
                raise
            click.echo(f"error: {_line(error)}", err=True)
            ctx.exit(_FAILED)
        except KeyboardInterrupt:
            click.echo("\ninterrupted", err=True)
            ctx.exit(_INTERRUPTED)


def _line(error: Exception) -> str:
    """What went wrong, in one line."""
    lines = str(error).replace(_IN_PYTHON, _HERE).splitlines()
    message = " ".join(line.strip() for line in lines)
    if isinstance(error, (ValueError, OSError, ImportError)) and message:
        return message
    # Of one that nobody foresaw, the message may be a name or nothing.
    return f"{type(error).__name__}: {message} ({_TRACEBACK}=1 shows where)"


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show warnings that are meant for users."""
    if category is UserWarning and "pkg_resources" not in str(message):
        click.echo(f"warning: {message}", err=True)
