"""What stands where on the page, and what its buttons do."""

from __future__ import annotations

import functools
import html
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

from usetune._utils.extras import require
from usetune._utils.markdown import escape
from usetune.page.comparison import MOST_TEXTS, TitleSearch, as_html, compare_texts
from usetune.page.text_lists import TextList, read_texts
from usetune.protocols import TextEncoder

if TYPE_CHECKING:
    import gradio

_TEXTS = ["data scientist", "statistician", "nurse", "infermiere", "pastry cook"]
_QUERY = "data scientist"
_FILES = [".csv", ".txt", ".jsonl", ".ndjson", ".parquet"]
# Seconds between two looks for old files, and their age when they are deleted.
_FILES_KEPT = (600, 3600)
CSS = """
.fault p {color: var(--error-text-color); font-weight: 600; overflow-wrap: anywhere}
.table {overflow-x: auto}
.table table {width: 100%; border-collapse: collapse}
.table table, .table thead, .table tr {border: none !important}
.table th, .table td {
    text-align: left;
    padding: 3px 6px;
    border: none !important;
    border-bottom: 1px solid var(--border-color-primary) !important;
}
@media (max-width: 600px) {.table table {font-size: 12px}}
"""


def import_gradio() -> ModuleType:
    """Gradio, with its reports to its makers turned off.

    Raises:
        ImportError: if it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return require("gradio", "page", "the page")


def build_page(
    encoders: Mapping[str, TextEncoder], handles: Mapping[str, str], titles: TextList
) -> gradio.Blocks:
    """Lay out the page.

    Args:
        encoders: "base" and perhaps "tuned".
        handles: where each of them comes from.
        titles: the list to search in until another one is loaded.

    Returns:
        The page; `usetune.page.__main__.serve` shows it.

    Raises:
        ImportError: if Gradio is not installed.
    """
    gr = import_gradio()
    default = TitleSearch(titles, encoders)

    def compare(typed: str) -> list[Any]:
        pictures, changed = compare_texts(typed, encoders)
        caption = "Pairs whose similarity changed most"
        table = "" if changed is None else as_html(changed, caption)
        return [*pictures.values(), table]

    def search(query: str, own: TitleSearch | None) -> list[str]:
        found = (own or default).nearest(query)
        return [as_html(table, name) for name, table in found.items()]

    def load(file: str, column: str | None = None) -> list[Any]:
        return use(TitleSearch(read_texts(file, column), encoders))

    def use(own: TitleSearch | None = None) -> list[Any]:
        titles = (own or default).titles
        choice = gr.Dropdown(
            choices=list(titles.columns),
            value=titles.column,
            visible=own is not None and titles.column is not None,
        )
        # What was found in another list is shown no longer.
        return [own, escape(titles.source), choice, *[""] * len(encoders)]

    def fill_in(own: TitleSearch | None) -> str:
        return "\n".join((own or default).titles.texts[:MOST_TEXTS])

    def on(
        triggers: list[Any],
        function: Callable[..., list[Any]],
        inputs: list[Any],
        outputs: list[Any],
        otherwise: Any,
    ) -> None:
        gr.on(
            triggers,
            _with_fault(function, [otherwise] * (len(outputs) - 1)),
            inputs,
            outputs,
            # One at a time: an encoder uses all cores, and drawing is for one thread.
            concurrency_id="encoders",
            concurrency_limit=1,
            # What is asked for while the last answer is awaited is answered after it.
            trigger_mode="always_last",
            api_visibility="private",
        )

    with gr.Blocks(
        title="usetune", analytics_enabled=False, delete_cache=_FILES_KEPT
    ) as page:
        own = gr.State()
        names = [f"**{name}**: {escape(handle)}" for name, handle in handles.items()]
        gr.Markdown("## Try encoders\n" + " · ".join(names))
        with gr.Tab("Similarity of texts"), gr.Row():
            with gr.Column(scale=1, min_width=260):
                typed = gr.Textbox(
                    "\n".join(_TEXTS),
                    label="Texts",
                    info=f"One a line, 2 to {MOST_TEXTS}. Pictures cut long ones, and "
                    "number those in letters that their font lacks.",
                    lines=8,
                    max_lines=MOST_TEXTS,
                )
                compare_button = gr.Button("Compare", variant="primary")
                fill_button = gr.Button("Fill in from the list")
                compare_fault = gr.HTML(elem_classes="fault")
            with gr.Column(scale=4, min_width=320):
                with gr.Row():
                    pictures = [
                        gr.Image(
                            label=name,
                            show_label=False,
                            format="png",
                            buttons=["fullscreen", "download"],
                            interactive=False,
                            min_width=320,
                        )
                        for name in encoders
                    ]
                changed = gr.HTML(elem_classes="table")
        with gr.Tab("Nearest titles"):
            with gr.Row():
                query = gr.Textbox(_QUERY, label="Query", container=False, scale=4)
                search_button = gr.Button("Search", variant="primary", scale=1)
            search_fault = gr.HTML(elem_classes="fault")
            tables = []
            with gr.Row():
                for _ in encoders:
                    with gr.Column(min_width=320):
                        tables.append(gr.HTML(elem_classes="table"))
        with gr.Accordion("The list of titles"):
            source = gr.Markdown(escape(default.titles.source))
            file = gr.File(
                label="Your own: CSV with a header line, or text, one title a line",
                file_types=_FILES,
                height=120,
            )
            load_fault = gr.HTML(elem_classes="fault")
            column = gr.Dropdown(label="Column", visible=False)
        drawn, found = [compare_fault, *pictures, changed], [search_fault, *tables]
        listed = [load_fault, own, source, column, *tables]
        on([compare_button.click, page.load], compare, [typed], drawn, None)
        asked = [search_button.click, query.submit, page.load]
        on(asked, search, [query, own], found, None)
        # A list that cannot be read leaves the one before in use.
        on([file.upload], load, [file], listed, gr.skip())
        on([column.input], load, [file, column], listed, gr.skip())
        on([file.clear], use, [], listed, gr.skip())
        fill_button.click(fill_in, own, typed, api_visibility="private")
    return page


def _with_fault(
    function: Callable[..., list[Any]], rest: list[Any]
) -> Callable[..., list[Any]]:
    """The function with a first result more: what is wrong with a user's input.

    Args:
        function: what gives the other results.
        rest: those in place of them, where something is wrong.
    """

    @functools.wraps(function)
    def wrapped(*inputs: Any) -> list[Any]:
        try:
            return ["", *function(*inputs)]
        except (ValueError, OSError) as error:
            return [f'<p role="alert">{html.escape(str(error))}</p>', *rest]

    return wrapped
