"""The page: its lists, tables and pictures, and all of it in a browser."""

import gc
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from matplotlib.figure import Figure

from usetune import load_occupations
from usetune.cli import paging
from usetune.cli.commands import commands
from usetune.page.comparison import (
    MOST_TEXTS,
    TitleSearch,
    as_html,
    changed_pairs,
    compare_texts,
    similarity_heatmap,
)
from usetune.page.layout import Page
from usetune.page.text_lists import read_texts, text_lines, text_list

TEXTS = ["data scientist", "statistician", "nurse", "pastry cook"]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


class Fixed:
    """Each text has a random direction of its own."""

    def __init__(self, seed):
        self.seed = seed
        self.encoded = []

    def encode(self, texts):
        self.encoded.append(list(texts))
        rows = [
            np.random.default_rng([self.seed, *text.encode()]).normal(size=6)
            for text in texts
        ]
        return np.array([row / np.linalg.norm(row) for row in rows])


# Lists of texts


def test_typed_lines():
    typed = "  data  scientist \r\n\n\t\nnurse\nnurse"
    assert text_lines(typed) == ["data scientist", "nurse", "nurse"]
    assert text_lines("x" * 2000) == ["x" * 2000]
    with pytest.raises(ValueError, match=r"number 2: .* 2,000 .* Received: 2,001, xxx"):
        text_lines("a\n" + "x" * 2001)


def test_a_list_counts_what_it_leaves_out():
    titles = text_list(["b", " a", "", "a", "b ", " "], "these")
    assert titles.texts == ["b", "a"]
    assert titles.source == "these: 2 texts, 2 empty left out, 2 repeated left out"
    assert text_list(["a"], "one").source == "one: 1 texts"


def test_size_of_a_list(monkeypatch):
    monkeypatch.setattr("usetune.page.text_lists.MOST_TITLES", 3)
    assert len(text_list("abcabc", "three").texts) == 3
    with pytest.raises(ValueError, match="many must hold 1 to 3 texts. Received: 4"):
        text_list("abcd", "many")
    with pytest.raises(ValueError, match="none must hold 1 .* Received: 0"):
        text_list(["", " "], "none")


@pytest.mark.parametrize(
    ("name", "content", "column", "texts"),
    [
        ("a.txt", "\ufefftitle, one\n\ntitle two\n", None, ["title, one", "title two"]),
        ("a.txt", "one\x0btext\u2028here\r\ntwo", None, ["one text here", "two"]),
        ("a.csv", 'id,Text\n1,"one, two"\n2,three\n', "Text", ["one, two", "three"]),
        ("a.csv", "code,preferredLabel,label\n1,a,x\n", "preferredLabel", ["a"]),
        ("a.csv", "text,title\nx,a\n", "title", ["a"]),
        ("a.csv", "occupation,code\na,1\n", "occupation", ["a"]),
        ("a.jsonl", '{"name": "a"}\n{"other": 1}\n{"name": "b"}', "name", ["a", "b"]),
    ],
)
def test_files(tmp_path, name, content, column, texts):
    (tmp_path / name).write_text(content)
    titles = read_texts(tmp_path / name)
    assert (titles.texts, titles.column) == (texts, column)
    assert titles.source.startswith(name + (f", column {column}:" if column else ":"))


def test_rows_are_counted_before_they_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr("usetune.page.text_lists.MOST_ROWS", 2)
    pd.DataFrame({"title": ["a", "a"]}).to_parquet(tmp_path / "a.parquet")
    assert read_texts(tmp_path / "a.parquet").texts == ["a"]
    (tmp_path / "a.txt").write_text("a\n\n")
    assert read_texts(tmp_path / "a.txt").source == "a.txt: 1 texts, 1 empty left out"
    (tmp_path / "a.txt").write_text("a\n\na")
    with pytest.raises(ValueError, match="^a.txt must have at most 2 rows"):
        read_texts(tmp_path / "a.txt")
    pd.DataFrame({"title": ["a"] * 3}).to_parquet(tmp_path / "a.parquet")
    monkeypatch.setattr("pyarrow.parquet.ParquetFile.read", None)
    message = "^a.parquet must have at most 2 rows; .* Received: 3"
    with pytest.raises(ValueError, match=message):
        read_texts(tmp_path / "a.parquet")


def test_columns_without_a_name(tmp_path):
    pd.DataFrame({0: ["a"], 1: ["b"]}).to_parquet(tmp_path / "a.parquet")
    titles = read_texts(tmp_path / "a.parquet")
    assert (titles.texts, titles.columns) == (["a"], ["0", "1"])


def test_a_column_that_is_chosen(tmp_path):
    (tmp_path / "a.csv").write_text("title,code\nx,001\ny,\n")
    titles = read_texts(tmp_path / "a.csv", "code")
    assert (titles.texts, titles.columns) == (["001"], ["title", "code"])
    assert titles.source == "a.csv, column code: 1 texts, 1 empty left out"


@pytest.mark.parametrize(
    ("name", "content", "column", "message"),
    [
        ("a.csv", b"", None, "^a.csv is empty$"),
        ("a.txt", b" \n\n", None, "^a.txt is empty$"),
        ("a.txt", b"ok\ncaf\xe9", None, "^a.txt is not UTF-8 .* in line 2"),
        ("a.txt", b"a\0b", None, "^a.txt is not UTF-8 .character NUL"),
        ("a.txt", b"PK\x03\x04", None, "^a.txt is an Excel workbook"),
        ("a.csv", b"title\ncaf\xe9\n", None, "^a.csv is not UTF-8"),
        ("a.csv", b'title\n"open\n', None, "^a.csv, line 2: a quote is opened"),
        ("a.csv", b"title\ncook, pastry\n", None, "^a.csv, line 2 has 2 cells"),
        ("a.csv", b"title\nx\n", "text", r"^a.csv lacks the columns \['text'\]"),
        ("a.csv", b"title,b\n,1\n", None, "^a.csv, column title must hold 1"),
        (
            "a.jsonl",
            b'{"text": "a"}\n{"text": 5}',
            None,
            "text: expected a text.* line 2: 5",
        ),
        ("a.jsonl", b"[1]", None, "^a.jsonl, line 1 must be a JSON object"),
        ("a.parquet", b"PAR?", None, "^a.parquet is no whole Parquet file"),
    ],
)
def test_faulty_files(tmp_path, name, content, column, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_texts(tmp_path / name, column)


# Tables and pictures


def test_pairs_that_changed_most():
    base, tuned = Fixed(0).encode(TEXTS), Fixed(4).encode(TEXTS)
    pairs = {
        (TEXTS[i], TEXTS[j]): (np.dot(base[i], base[j]), np.dot(tuned[i], tuned[j]))
        for i in range(4)
        for j in range(i + 1, 4)
    }
    expected = sorted(pairs, key=lambda pair: -abs(pairs[pair][1] - pairs[pair][0]))
    table = changed_pairs(TEXTS, base, tuned, 5)
    found = list(zip(table["text"], table["other text"], strict=True))
    assert found == expected[:5]
    cosines = np.array([pairs[pair] for pair in found])
    np.testing.assert_allclose(table[["base", "tuned"]], cosines, atol=1e-12)
    change = cosines[:, 1] - cosines[:, 0]
    np.testing.assert_allclose(table["change"], change, atol=1e-12)
    assert (change > 0).any() and (change < 0).any()
    same = changed_pairs(TEXTS, base, base)
    assert list(same["text"]) == [TEXTS[i] for i in (0, 0, 0, 1, 1, 2)]


def test_comparison():
    encoders = {"base": Fixed(0), "tuned": Fixed(1)}
    pictures, changed = compare_texts("\n".join(TEXTS), encoders)
    embeddings = [Fixed(seed).encode(TEXTS) for seed in (0, 1)]
    pd.testing.assert_frame_equal(changed, changed_pairs(TEXTS, *embeddings))
    assert list(pictures) == ["base", "tuned"]
    for picture in pictures.values():
        assert picture.dtype == np.uint8 and picture.shape[2] == 4
        assert min(picture.shape[:2]) > 400
    assert (pictures["base"] != pictures["tuned"]).any()
    assert not np.shares_memory(*pictures.values())
    one, changed = compare_texts("\n".join(TEXTS), {"base": Fixed(0)})
    assert changed is None
    np.testing.assert_array_equal(one["base"], pictures["base"])


def test_limit_on_texts():
    encoders = {"base": Fixed(0)}
    compare_texts("\n".join(map(str, range(MOST_TEXTS))), encoders)
    for count in (0, 1, MOST_TEXTS + 1):
        with pytest.raises(ValueError, match=f"2 to {MOST_TEXTS} .*Received: {count}$"):
            compare_texts("\n".join(map(str, range(count))), encoders)


def test_labels_of_the_picture():
    texts = ["costs $5 or $6", "x" * 33, "y" * 32, "看護師", r"\frac $"]
    figure = similarity_heatmap(texts, Fixed(0).encode(texts), "name")
    figure.canvas.draw()
    ax = figure.axes[0]
    written = [label.get_text() for label in ax.get_yticklabels()]
    cut = "x" * 31 + "…"
    assert written == ["costs $5 or $6", cut, "y" * 32, "text 4", r"\frac $"]
    assert ax.get_title() == "name"
    cosines = Fixed(0).encode(texts) @ Fixed(0).encode(texts).T
    drawn = ax.collections[0].get_array().reshape(5, 5)
    np.testing.assert_allclose(drawn, cosines, atol=1e-6)


def test_no_figure_is_left():
    encoders = {"base": Fixed(0), "tuned": Fixed(1)}
    for _ in range(3):
        compare_texts("a\nb", encoders)
    gc.collect()
    assert not plt.get_fignums()
    assert not [thing for thing in gc.get_objects() if type(thing) is Figure]


def test_search_embeds_the_list_once():
    encoders = {"base": Fixed(0), "tuned": Fixed(1)}
    titles = text_list([f"title {number}" for number in range(30)], "titles")
    search = TitleSearch(titles, encoders)
    for query in ("one", "two"):
        found = search.nearest(f" {query}\n", 4)
        assert list(found) == ["base", "tuned"]
        for seed, table in enumerate(found.values()):
            corpus = Fixed(seed).encode(titles.texts)
            scores = corpus @ Fixed(seed).encode([query])[0]
            best = np.argsort(-scores)[:4]
            assert table["title"].tolist() == [titles.texts[row] for row in best]
            assert table["rank"].tolist() == [1, 2, 3, 4]
            np.testing.assert_allclose(table["score"], scores[best], atol=1e-6)
    for encoder in encoders.values():
        assert encoder.encoded == [titles.texts, ["one"], ["two"]]
    few = TitleSearch(text_list(["a", "b"], "two"), encoders).nearest("a")
    assert [len(table) for table in few.values()] == [2, 2]
    for query, lines in (("", 0), (" \n", 0), ("a\nb", 2)):
        with pytest.raises(ValueError, match=f"Received: {lines} lines$"):
            search.nearest(query)


def test_tables_as_html():
    table = pd.DataFrame(
        {
            "text": ["<b>&amp; " + "long " * 40 + "end"],
            "score": np.float32([0.12345]),
            "change": [0.5],
        }
    )
    written = as_html(table, "<base>")
    assert written.startswith("<b>&lt;base&gt;</b><table")
    assert "&lt;b&gt;&amp;amp; " + "long " * 40 + "end" in written
    assert "<td>0.123</td>" in written and "<td>+0.500</td>" in written


# The command


def test_without_gradio(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    with pytest.raises(ImportError, match=r"pip install usetune\[page\]"):
        Page({}, {}, text_list(["a"], "one"))


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--titles", "no/such.csv"], 1, "no/such.csv"),
        (["--base", "no-such-encoder"], 1, "Received: 'no-such-encoder'"),
        (["--port", "70000"], 1, "to 65535. Received: 70000"),
        (["--port", "x"], 2, "'x' is not a valid integer"),
    ],
)
def test_faulty_command(arguments, code, message, monkeypatch):
    monkeypatch.setattr(paging, "import_gradio", lambda: None)
    monkeypatch.setattr(paging, "_occupations", lambda: text_list("a", "one"))
    done = CliRunner().invoke(commands, ["page", *arguments])
    assert (done.exit_code, done.stdout) == (code, "")
    assert message in done.stderr and "Traceback" not in done.stderr


def test_a_port_that_is_taken(monkeypatch):
    monkeypatch.setattr(paging, "import_gradio", lambda: None)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        done = CliRunner().invoke(commands, ["page", "--port", str(port)])
    assert done.exit_code == 1
    assert re.search(f"error: .*in use.*{port}", done.stderr)


# In a browser


class Served:
    """The command in a process of its own, with a proxy that notes who calls it."""

    def __init__(self, folder, *arguments):
        self.port, self.folder = free_port(), folder
        self.proxy, self.calls = socket.create_server(("127.0.0.1", 0)), []
        threading.Thread(target=self._note_calls, daemon=True).start()
        proxy = f"http://127.0.0.1:{self.proxy.getsockname()[1]}"
        environment = {
            **os.environ,
            **dict.fromkeys(["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"], proxy),
            "NO_PROXY": "127.0.0.1,localhost",
            "GRADIO_TEMP_DIR": str(folder / "uploads"),
            # Into a file, Python writes late.
            "PYTHONUNBUFFERED": "1",
        }
        command = [sys.executable, "-m", "usetune", "page", f"--port={self.port}"]
        self.output = folder / "output.txt"
        # A process in the background may ignore Ctrl+C, and its children would, too.
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                [*command, *map(str, arguments)],
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        signal.signal(signal.SIGINT, handler)

    def _note_calls(self):
        while True:
            try:
                connection, _ = self.proxy.accept()
            except OSError:
                return
            self.calls.append(connection.recv(200))
            connection.close()

    def wait(self):
        deadline = time.monotonic() + 120
        while b"Running on" not in self.output.read_bytes():
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)
        return f"http://127.0.0.1:{self.port}/"

    def stop(self):
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(20)
        finally:
            self.process.kill()
            self.process.wait()
            self.proxy.close()


def free_port():
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def chromium():
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    pytest.importorskip("gradio", reason="needs usetune[page]")
    switches = "no-sandbox disable-gpu disable-quic no-first-run disable-sync "
    switches += "disable-background-networking disable-component-update"
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=CHROMIUM, args=[f"--{name}" for name in switches.split()]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def served(chromium, base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    tuned = base.copy()
    noise = np.random.default_rng(0).normal(size=512) / 5
    tuned.projection.bias.assign_add(noise.astype("float32"))
    tuned.save(folder / "tuned")
    served = Served(folder, "--tuned", folder / "tuned")
    served.tuned = tuned
    served.address = served.wait()
    yield served
    if served.process.poll() is None:
        served.stop()


@pytest.fixture
def visit(chromium, served):
    """Open the page as a new user, and see that nothing else is asked for."""
    contexts, requested = [], []

    def open_page(width=1280, height=800):
        context = chromium.new_context(viewport={"width": width, "height": height})
        contexts.append(context)
        context.on("request", lambda request: requested.append(request.url))
        tab = context.new_page()
        tab.set_default_timeout(20_000)
        tab.goto(served.address)
        # What a new page shows: the two pictures of its examples.
        tab.wait_for_function("document.images.length == 2")
        return tab

    yield open_page
    for context in contexts:
        context.close()
    outside = [
        url for url in requested if not url.startswith((served.address, "data:"))
    ]
    assert requested and not outside
    assert not served.calls


def rows(table):
    return [row.split("\t") for row in table.inner_text().splitlines()[1:]]


def search(tab, query):
    tab.get_by_role("tab", name="Nearest titles").click()
    # The fields of a tab that opens are set once more, some 30 ms after they appear:
    # sooner than anyone types.
    tab.wait_for_timeout(500)
    tab.get_by_label("Query").fill(query)
    tab.get_by_role("button", name="Search").click()


def tables_with(tab, title):
    """The tables of a search, once they show a title."""
    tables = tab.locator(".table:visible table")
    tables.filter(has_text=title).nth(1).wait_for()
    return [rows(tables.nth(number)) for number in range(2)]


def compare(tab, texts):
    old = tab.evaluate("document.images[0]?.src")
    tab.get_by_role("tab", name="Similarity of texts").click()
    tab.get_by_label("Texts").fill("\n".join(texts))
    tab.get_by_role("button", name="Compare").click()
    return old


def drawn(tab, old):
    tab.wait_for_function("old => document.images[0]?.src != old", arg=old)
    tab.wait_for_function("[...document.images].every(image => image.complete)")
    return tab.eval_on_selector_all(
        "img", "all => all.map(image => image.naturalWidth)"
    )


def message(tab, text):
    tab.get_by_role("alert").filter(has_text=text).wait_for()
    assert "Traceback" not in tab.inner_text("body")


def test_comparing_texts(visit, served, base, tmp_path):
    tab = visit()
    widths = drawn(tab, compare(tab, TEXTS))
    assert len(widths) == 2 and min(widths) > 400
    table = tab.locator(".table:visible table")
    table.filter(has_text="pastry cook").wait_for()
    expected = changed_pairs(TEXTS, base.encode(TEXTS), served.tuned.encode(TEXTS))
    shown = [(text, other) for text, other, *_ in rows(table)]
    assert sorted(shown) == sorted(
        zip(expected["text"], expected["other text"], strict=True)
    )
    figures = {(text, other): row for text, other, *row in rows(table)}
    for text, other, *values in expected.itertuples(index=False):
        row = [float(value) for value in figures[text, other]]
        np.testing.assert_allclose(row, values, atol=0.0011)
    tab.screenshot(path=tmp_path / "similarity.png", full_page=True)


@pytest.mark.filterwarnings("ignore:esco.* cannot be had:UserWarning")
def test_nearest_titles_of_the_default_list(visit, served, base, tmp_path):
    titles = load_occupations()["preferredLabel"].drop_duplicates().tolist()
    tab = visit()
    tab.get_by_role("tab", name="Nearest titles").click()
    assert f": {len(titles):,} texts" in tab.inner_text("body")
    query = titles[5]
    search(tab, query)
    shown = tables_with(tab, query)
    for encoder, table in zip((base, served.tuned), shown, strict=True):
        assert table[0] == ["1", query, "1.000"]
        scores = encoder.encode(titles) @ encoder.encode([query])[0]
        for rank, title, score in table:
            assert float(score) == pytest.approx(scores[titles.index(title)], abs=1e-3)
            # Equal but for rounding may change places.
            assert float(score) == pytest.approx(np.sort(scores)[-int(rank)], abs=1e-3)
        assert len(table) == 10
    tab.screenshot(path=tmp_path / "nearest.png", full_page=True)


def test_a_list_of_ones_own(visit, tmp_path):
    tab, other = visit(390, 844), visit()
    path = tmp_path / "own.csv"
    path.write_text("code,title\nA1,baker\nA2,<b>surgeon</b> ${1+1} {{value}}\nA3,\n")
    tab.locator("input[type=file]").set_input_files(path)
    tab.get_by_text("own.csv, column title: 2 texts, 1 empty left out").wait_for()
    search(tab, "pastry cook")
    shown = tables_with(tab, "baker")
    for table in shown:
        assert [row[1] for row in table] == ["baker", "<b>surgeon</b> ${1+1} {{value}}"]
    tab.screenshot(path=tmp_path / "own.png", full_page=True)
    # Another user has another list, and other texts at the same time.
    search(other, "baker")
    assert all(len(table) == 10 for table in tables_with(other, "bake"))
    old, other_old = compare(tab, ["baker", "nurse"]), compare(other, TEXTS)
    assert min(drawn(tab, old)) < min(drawn(other, other_old))
    assert "pastry cook" not in tab.locator(".table:visible table").inner_text()
    # The texts to compare can come from the list, whose column can be changed.
    tab.get_by_label("Column").click()
    tab.get_by_role("option", name="code").click()
    tab.get_by_text("own.csv, column code: 3 texts").wait_for()
    tab.get_by_role("button", name="Fill in").click()
    tab.wait_for_function("document.querySelector('textarea').value == 'A1\\nA2\\nA3'")
    tab.get_by_label("Remove").or_(tab.get_by_label("Clear")).first.click()
    tab.get_by_text("preferred labels of").wait_for()


def test_the_last_query_is_answered(visit):
    tab, held = visit(), []
    tab.route("**/queue/join*", lambda route: held.append(route), times=1)
    with tab.expect_request("**/queue/join*"):
        search(tab, "nurse")
    # While the answer is awaited:
    tab.get_by_label("Query").fill("pastry cook")
    tab.get_by_role("button", name="Search").click()
    held[0].continue_()
    for table in tables_with(tab, "pastry"):
        assert "pastry" in table[0][1]


def test_a_name_is_shown_as_it_is(visit, tmp_path):
    tab = visit()
    path = tmp_path / "a.csv"
    # As Markdown it would load a picture from elsewhere, which `visit` refuses.
    path.write_text("![x](http://192.0.2.1/p.png)\nbaker\n")
    tab.locator("input[type=file]").set_input_files(path)
    tab.get_by_text("column ![x](http://192.0.2.1/p.png): 1 texts").wait_for()


def test_faults_are_messages(visit, tmp_path):
    tab = visit()
    compare(tab, [])
    message(tab, "Type 2 to 30 texts, one on each line. Received: 0")
    compare(tab, [f"text {number}" for number in range(31)])
    message(tab, "Received: 31")
    compare(tab, ["<i>" + "x" * 2000])
    message(tab, "Received: 2,003, <i>xxx")
    search(tab, "")
    message(tab, "Type a query of one line. Received: 0 lines")
    path = tmp_path / "bad.csv"
    path.write_bytes(b"title\ncaf\xe9\n")
    tab.locator("input[type=file]").set_input_files(path)
    message(tab, "bad.csv is not UTF-8")
    assert "preferred labels of" in tab.inner_text("body")
    tab.screenshot(path=tmp_path / "faults.png", full_page=True)
    # The page works on.
    search(tab, "nurse")
    tables_with(tab, "nurse")


def test_only_this_machine_can_call(served):
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.2", served.port), timeout=5)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("127.0.0.1", (200, True)),
        ("localhost", (200, True)),
        ("example.org", (400, False)),
        ("127.0.0.1.example.org", (400, False)),
    ],
)
def test_only_requests_that_name_this_machine_are_answered(served, name, answer):
    """A name of another site that is pointed at 127.0.0.1 is still another's."""
    with closing(http.client.HTTPConnection("127.0.0.1", served.port)) as connection:
        headers = {"Host": f"{name}:{served.port}"}
        connection.request("GET", "/config", headers=headers)
        response = connection.getresponse()
        assert (response.status, b"components" in response.read()) == answer


def test_control_c_ends_it(served):
    """The last test: nothing is served after it."""
    assert served.stop() == 0
    assert "Traceback" not in served.output.read_text()
    assert not list(served.folder.glob("uploads/*/*"))
