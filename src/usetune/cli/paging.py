"""``usetune page``: encoders to try in a browser."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from usetune._utils.checks import check_between
from usetune.data.esco import load_occupations
from usetune.encoders.loading import load_encoder
from usetune.page.layout import Page, import_gradio
from usetune.page.serving import HOST, serve
from usetune.page.text_lists import TextList, read_texts, text_list

if TYPE_CHECKING:
    import gradio


def open_page(
    base: str,
    tuned: str | None = None,
    titles: str | None = None,
    port: int | None = None,
) -> gradio.Blocks:
    """Load encoders and titles, and serve the page; ``block_thread()`` waits for it.

    Args:
        base: what `load_encoder` takes.
        tuned: a second encoder, likewise.
        titles: CSV or text file with the titles to search. Default: occupations.
        port: see `serve`.

    Raises:
        ImportError: if Gradio is not installed.
        ValueError: if an argument or a file has a fault.
        OSError: if a file cannot be read, or the port is taken.
    """
    # What is missing is said before the encoders are loaded.
    import_gradio()
    if port is not None:
        _check_port(port)
    found = read_texts(titles) if titles else _occupations()
    handles = {"base": base} | ({"tuned": tuned} if tuned else {})
    encoders = {name: load_encoder(handle) for name, handle in handles.items()}
    page = Page(encoders, handles, found).blocks
    serve(page, port)
    return page


def _check_port(port: int) -> None:
    check_between("port", port, 1, 65535)
    socket.create_server((HOST, port)).close()


def _occupations() -> TextList:
    occupations = load_occupations()
    languages = ", ".join(sorted(set(occupations["language"])))
    name = f"preferred labels of {occupations.attrs['source']} ({languages})"
    return text_list(occupations["preferredLabel"], name)
