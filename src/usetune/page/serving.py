"""Serving the page, to this machine only."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from usetune._utils.extras import require
from usetune.page.layout import import_gradio

if TYPE_CHECKING:
    import gradio

HOST = "127.0.0.1"
_NAMES = [HOST, "localhost"]
_LARGEST_FILE = "20mb"


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
        server_name=HOST,
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
