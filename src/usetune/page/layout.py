"""The page: its layout, and what its buttons do."""

from __future__ import annotations

import functools
import html
import os
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from usetune._utils.extras import require
from usetune._utils.markdown import escape
from usetune.page.comparison import MOST_TEXTS, TitleSearch, as_html, compare_texts
from usetune.page.text_lists import TextList, read_texts
from usetune.protocols import TextEncoder

_TEXTS = ["data scientist", "statistician", "nurse", "infermiere", "pastry cook"]
_QUERY = "data scientist"
_FILES = [".csv", ".txt", ".jsonl", ".ndjson", ".parquet"]
# Seconds between two looks for old files, and their age when they are deleted.
_FILES_KEPT = (600, 3600)


def import_gradio() -> ModuleType:
    """Gradio, with its reports to its makers turned off.

    Raises:
        ImportError: if it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    return require("gradio", "page", "the page")


class Page:
    """The page: what stands on it, and what its buttons do.

    Args:
        encoders: "base" and perhaps "tuned".
        handles: where each of them comes from.
        titles: the list to search in until another one is loaded.

    Attributes:
        blocks: the Gradio page; `usetune.page.serving.serve` shows it.

    Raises:
        ImportError: if Gradio is not installed.
    """

    def __init__(
        self,
        encoders: Mapping[str, TextEncoder],
        handles: Mapping[str, str],
        titles: TextList,
    ) -> None:
        self._gradio = import_gradio()
        self._encoders, self._handles = encoders, handles
        self._default = TitleSearch(titles, encoders)
        self.blocks = self._gradio.Blocks(
            title="usetune", analytics_enabled=False, delete_cache=_FILES_KEPT
        )
        with self.blocks:
            self._layout()
            self._wire()

    def compare(self, typed: str) -> list[Any]:
        """Pictures of the typed texts, and the table of the pairs that changed most."""
        pictures, changed = compare_texts(typed, self._encoders)
        caption = "Pairs whose similarity changed most"
        table = "" if changed is None else as_html(changed, caption)
        return [*pictures.values(), table]

    def search(self, query: str, own: TitleSearch | None) -> list[str]:
        """For each encoder the table of the titles nearest to a query."""
        found = (own or self._default).nearest(query)
        return [as_html(table, name) for name, table in found.items()]

    def load(self, file: str, column: str | None = None) -> list[Any]:
        """Use the titles of a file; see `use` for what is given back."""
        return self.use(TitleSearch(read_texts(file, column), self._encoders))

    def use(self, own: TitleSearch | None = None) -> list[Any]:
        """The list in use, what it is called, its columns, and empty tables."""
        titles = (own or self._default).titles
        choice = self._gradio.Dropdown(
            choices=list(titles.columns),
            value=titles.column,
            visible=own is not None and titles.column is not None,
        )
        # What was found in another list is shown no longer.
        return [own, escape(titles.source), choice, *[""] * len(self._encoders)]

    def fill_in(self, own: TitleSearch | None) -> str:
        """The first titles of the list in use, one on each line."""
        return "\n".join((own or self._default).titles.texts[:MOST_TEXTS])

    def _layout(self) -> None:
        gr = self._gradio
        self._own = gr.State()
        names = [
            f"**{name}**: {escape(handle)}" for name, handle in self._handles.items()
        ]
        gr.Markdown("## Try encoders\n" + " · ".join(names))
        with gr.Tab("Similarity of texts"), gr.Row():
            self._similarity_tab()
        with gr.Tab("Nearest titles"):
            self._search_tab()
        with gr.Accordion("The list of titles"):
            self._source = gr.Markdown(escape(self._default.titles.source))
            self._file = gr.File(
                label="Your own: CSV with a header line, or text, one title a line",
                file_types=_FILES,
                height=120,
            )
            self._load_fault = gr.HTML(elem_classes="fault")
            self._column = gr.Dropdown(label="Column", visible=False)

    def _similarity_tab(self) -> None:
        gr = self._gradio
        with gr.Column(scale=1, min_width=260):
            self._typed = gr.Textbox(
                "\n".join(_TEXTS),
                label="Texts",
                info=f"One per line, 2 to {MOST_TEXTS}. Pictures cut long ones, and "
                "number those in letters that their font lacks.",
                lines=8,
                max_lines=MOST_TEXTS,
            )
            self._compare_button = gr.Button("Compare", variant="primary")
            self._fill_button = gr.Button("Fill in from the list")
            self._compare_fault = gr.HTML(elem_classes="fault")
        with gr.Column(scale=4, min_width=320):
            with gr.Row():
                self._pictures = [
                    gr.Image(
                        label=name,
                        show_label=False,
                        format="png",
                        buttons=["fullscreen", "download"],
                        interactive=False,
                        min_width=320,
                    )
                    for name in self._encoders
                ]
            self._changed = gr.HTML(elem_classes="table")

    def _search_tab(self) -> None:
        gr = self._gradio
        with gr.Row():
            self._query = gr.Textbox(_QUERY, label="Query", container=False, scale=4)
            self._search_button = gr.Button("Search", variant="primary", scale=1)
        self._search_fault = gr.HTML(elem_classes="fault")
        self._tables = []
        with gr.Row():
            for _ in self._encoders:
                with gr.Column(min_width=320):
                    self._tables.append(gr.HTML(elem_classes="table"))

    def _wire(self) -> None:
        """Say which method answers what a visitor does, and where its results go."""
        drawn = [self._compare_fault, *self._pictures, self._changed]
        clicks = [self._compare_button.click, self.blocks.load]
        self._on(clicks, self.compare, [self._typed], drawn, None)
        asked = [self._search_button.click, self._query.submit, self.blocks.load]
        found = [self._search_fault, *self._tables]
        self._on(asked, self.search, [self._query, self._own], found, None)
        # A list that cannot be read leaves the one before in use.
        skip, column = self._gradio.skip(), self._column
        listed = [self._load_fault, self._own, self._source, column, *self._tables]
        self._on([self._file.upload], self.load, [self._file], listed, skip)
        self._on([column.input], self.load, [self._file, column], listed, skip)
        self._on([self._file.clear], self.use, [], listed, skip)
        self._fill_button.click(
            self.fill_in, self._own, self._typed, api_visibility="private"
        )

    def _on(
        self,
        triggers: list[Any],
        answer: Callable[..., list[Any]],
        inputs: list[Any],
        outputs: list[Any],
        otherwise: Any,
    ) -> None:
        """Answer with no fault; or with what is wrong with a user's input, alone.

        Args:
            triggers: what a visitor does.
            answer: gives all outputs but the first.
            inputs: of the answer.
            outputs: the place of a fault, and those of the answer.
            otherwise: replaces the whole answer where something is wrong.
        """

        @functools.wraps(answer)
        def answer_or_fault(*given: Any) -> list[Any]:
            try:
                return ["", *answer(*given)]
            except (ValueError, OSError) as error:
                fault = f'<p role="alert">{html.escape(str(error))}</p>'
                return [fault, *[otherwise] * (len(outputs) - 1)]

        self._gradio.on(
            triggers,
            answer_or_fault,
            inputs,
            outputs,
            # One at a time: an encoder uses all cores, and drawing is for one thread.
            concurrency_id="encoders",
            concurrency_limit=1,
            # What is asked for while the last answer is awaited is answered after it.
            trigger_mode="always_last",
            api_visibility="private",
        )
