"""A local page to try encoders: ``python -m usetune.page``."""

from __future__ import annotations

import argparse
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from usetune._utils.extras import require
from usetune.data.esco import load_occupations
from usetune.encoders.loading import USE_MULTILINGUAL, load_encoder
from usetune.page.layout import Page, import_gradio
from usetune.page.text_lists import TextList, read_texts, text_list

if TYPE_CHECKING:
    import gradio

_HOST = "127.0.0.1"
_NAMES = [_HOST, "localhost"]
_LARGEST_FILE = "20mb"


def main(arguments: Sequence[str] | None = None) -> None:
    """Load what the command line names, and serve the page until Ctrl+C.

    Args:
        arguments: default: those of the process.
    """
    parser = argparse.ArgumentParser(
        prog="python -m usetune.page",
        description="A page to try encoders. It is served to this machine only.",
    )
    handle = "what usetune.load_encoder takes: a name, an address or a folder"
    parser.add_argument("--base", default=USE_MULTILINGUAL, help=handle)
    parser.add_argument("--tuned", help=f"a second encoder, {handle}")
    parser.add_argument("--titles", help="CSV or text file with the titles to search")
    parser.add_argument("--port", type=int, help="default: the first free from 7860 on")
    options = parser.parse_args(arguments)
    try:
        # What is missing is said before the encoders are loaded.
        import_gradio()
        if options.port is not None:
            _check_port(options.port)
        titles = read_texts(options.titles) if options.titles else _occupations()
        handles = {"base": options.base}
        if options.tuned:
            handles["tuned"] = options.tuned
        encoders = {name: load_encoder(handle) for name, handle in handles.items()}
        page = Page(encoders, handles, titles).blocks
        serve(page, options.port)
    except (ValueError, OSError, ImportError) as error:
        parser.error(str(error))
    page.block_thread()


def serve(page: gradio.Blocks, port: int | None = None) -> None:
    """Serve a page on this machine, until the process ends or ``page.close()``.

    A request that names another host than this machine is refused: a site whose name
    is pointed at 127.0.0.1 would otherwise read what a visitor has loaded.

    Args:
        page: `Page.blocks`.
        port: default: the first free one from 7860 on.

    Raises:
        OSError: if the port is taken.
    """
    themes = import_gradio().themes
    starlette = require("starlette.middleware.trustedhost", "page", "the page")
    named_here = starlette.TrustedHostMiddleware, (), {"allowed_hosts": _NAMES}
    page.launch(
        server_name=_HOST,
        server_port=port,
        share=False,
        prevent_thread_lock=True,
        theme=themes.Base(font=["system-ui", "sans-serif"], font_mono=["monospace"]),
        css_paths=Path(__file__).with_name("page.css"),
        footer_links=[],
        run_history=False,
        max_file_size=_LARGEST_FILE,
        enable_monitoring=False,
        app_kwargs={"middleware": [named_here]},
    )


def _check_port(port: int) -> None:
    if not 1 <= port <= 65535:
        raise ValueError(f"port must be from 1 to 65535. Received: {port}")
    socket.create_server((_HOST, port)).close()


def _occupations() -> TextList:
    occupations = load_occupations()
    languages = ", ".join(sorted(set(occupations["language"])))
    name = f"preferred labels of {occupations.attrs['source']} ({languages})"
    return text_list(occupations["preferredLabel"], name)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
