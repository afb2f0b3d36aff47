import builtins
import contextlib
import functools
import html
import io
import re
import socket
from dataclasses import replace

import huggingface_hub
import jinja2
import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

import usetune
from tests.fakes.tiny_encoder import TinyEncoder
from usetune._utils.markdown import escape, number, one_line, table
from usetune.losses import Matryoshka, MultipleNegativesRanking
from usetune.sharing.card import model_card
from usetune.sharing.citations import bibtex
from usetune.training import LOSSES_FOR, FineTuned, TrainingSet

NASTY = (
    "a | b\n---\n`c` <script> *d* [e](f) _g_ \\| $h$ ~~i~~ &amp; \u2028 snake_case: #j"
)
COMPARED = pd.DataFrame(
    {
        "base": [0.5, np.nan],
        "tuned": [0.75, np.nan],
        "difference": [0.25, np.nan],
        "low": [0.125, np.nan],
        "high": [0.375, np.nan],
        "n": [1234, 1234],
        "positives": [99, 99],
    },
    index=["recall@1", "in-group"],
)
SCORES = {"ESCO, held out": COMPARED, "STS dev": {"pearson": (0.834, 0.8437)}}


def card(result, **changes):
    settings = {
        "name": "titles",
        "base": "google/use",
        "scores": SCORES,
        "license": "apache-2.0",
        "language": "en",
        "limits": "English titles only.",
        "load": "hf://owner/titles",
    }
    return model_card(result, **(settings | changes))


@pytest.fixture(scope="module")
def pairs():
    texts = [NASTY, *(f"a title {row}" for row in range(19))]
    return pd.DataFrame(
        {"anchor": texts, "positive": [f"name {row}" for row in range(20)]}
    )


@pytest.fixture(scope="module")
def tuned(tiny, pairs):
    loss = Matryoshka(MultipleNegativesRanking(), [16, 8])
    return usetune.fine_tune(tiny, pairs, validation_data=pairs, loss=loss, epochs=3)


def tables(markdown):
    """Every table as a CommonMark parser reads it: lists of rows of cells."""
    parser = MarkdownIt("commonmark").enable("table")
    found = []
    for token in parser.parse(markdown):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and token.level > 2:
            kinds = {child.type for child in token.children}
            assert kinds <= {"text", "text_special", "strong_open", "strong_close"}
            found[-1][-1].append("".join(child.content for child in token.children))
    return found


def headings(markdown):
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return [
        "".join(child.content for child in after.children)
        for token, after in zip(tokens, tokens[1:], strict=False)
        if token.type == "heading_open"
    ]


def test_the_hub_reads_the_header(tuned):
    data = huggingface_hub.ModelCard(card(tuned)).data
    assert data.language == ["en"] and data.license == "apache-2.0"
    assert data.library_name == "usetune" and data.base_model == "google/use"
    assert data.pipeline_tag == "sentence-similarity"
    assert data.tags == [
        "sentence-similarity",
        "feature-extraction",
        "dataset_size:20",
        "loss:Matryoshka",
        "loss:MultipleNegativesRanking",
    ]
    assert data.metrics == ["recall@1", "pearson"]
    assert data.model_name == "titles"
    results = [
        (own.dataset_name, own.metric_type, own.metric_value)
        for own in data.eval_results
    ]
    # What is NaN was not measured.
    assert results == [
        ("ESCO, held out", "recall@1", 0.75),
        ("STS dev", "pearson", 0.8437),
    ]


def test_sections(tuned):
    body = huggingface_hub.ModelCard(card(tuned, description="About.")).text
    assert headings(body) == [
        "titles",
        "Usage",
        "Evaluation",
        "ESCO, held out",
        "STS dev",
        "Limits",
        "Training",
        "Data",
        "Settings",
        "Log",
        "Environment",
        "Citation",
    ]
    made = "made from google/use, tuned on a data set of 20 examples"
    for text in (made, "About.", "16 numbers"):
        assert text in body
    assert "English titles only." in body


def test_scores_are_beside_each_other(tuned):
    domain, sts, *_ = tables(card(tuned))
    assert domain == [
        [
            "metric",
            "base",
            "tuned",
            "difference",
            "95 % interval of the difference",
            "n",
        ],
        ["recall@1", "0.5000", "0.7500", "+0.2500", "+0.1250 to +0.3750", "1,234"],
        ["in-group", "–", "–", "–", "– to –", "1,234"],
    ]
    assert sts == [
        ["metric", "base", "tuned", "difference"],
        ["pearson", "0.8340", "0.8437", "+0.0097"],
    ]


def test_training_details(tuned):
    markdown = card(tuned)
    _, _, columns, sample, settings, log = tables(markdown)
    lengths = tuned.data[0].training["anchor"].map(len)
    assert columns[1] == [
        "anchor",
        "characters",
        str(lengths.min()),
        f"{lengths.mean():g}",
        str(lengths.max()),
    ]
    assert sample[0] == ["anchor", "positive"]
    assert sample[1] == [" ".join(NASTY.split()), "name 0"]
    assert ["seed", "0"] in settings and ["steps_per_epoch", "1"] in settings
    assert settings[-1][1].startswith("FusedAdam(learning_rate=CosineDecay(")
    assert "None" not in str(settings)
    kept = tuned.record.runs[0].kept_epoch
    assert log[0] == ["epoch", *tuned.history.columns]
    assert log[1][:2] == ["0", "–"] and len(log) == 5
    values = tuned.history.to_numpy()
    assert log[kept + 1][1:] == [f"{value:.4g}" for value in values[kept]]
    bold = [line for line in markdown.splitlines() if line.startswith("| **")]
    assert len(bold) == 1 and bold[0].startswith(f"| **{kept}** |")
    loss = "Matryoshka(reduction=sum_over_batch_size, loss=MultipleNegativesRanking("
    assert loss in html.unescape(markdown)
    versions = tuned.record.versions
    assert f"tensorflow {versions['tensorflow']}" in markdown


@pytest.mark.parametrize("members", [None, 2])
def test_the_template_finds_all_that_it_names(tiny, pairs, monkeypatch, members):
    strict = functools.partial(jinja2.Template, undefined=jinja2.StrictUndefined)
    monkeypatch.setattr(jinja2, "Template", strict)
    settings = {"epochs": 1}
    if members:
        result = usetune.fine_tune_soup(tiny, pairs, members=members, **settings)
    else:
        result = usetune.fine_tune(
            tiny, TrainingSet(pairs, name="job titles"), **settings
        )
    markdown = card(result)
    assert "16 positive pairs, and 4 to validate on." in markdown
    assert "Batches of 128, shuffled." in markdown
    assert ("Data" if members else "Data: job titles") in headings(markdown)


def test_text_is_no_template(tiny):
    code = "{{ base }} {% if %} {# #}"
    markdown = card(tiny, name=code, description=code, limits=code)
    assert markdown.count(code) == 4


def test_a_long_cell_is_cut(tuned, tiny):
    (data,) = tuned.record.data
    data = replace(data, sample=[{"anchor": "x" * 201, "positive": "y" * 200}])
    record = replace(tuned.record, data=(data,))
    changed = replace(tuned, encoder=tiny, record=record)
    assert tables(card(changed))[3][1] == ["x" * 200 + " …", "y" * 200]


def test_what_a_resumed_training_says(tuned):
    run = replace(tuned.record.runs[0], resumed=2, seconds=1234.5)
    changed = replace(tuned, record=replace(tuned.record, runs=(run,)))
    assert "took 1,234.5 seconds from epoch 3 on." in card(changed)
    assert "from epoch" not in card(tuned).split("### Environment")[1]


def test_an_average_names_its_members(tiny, pairs):
    settings = {"validation_data": pairs, "members": 3, "seed": 7, "epochs": 2}
    soup = usetune.fine_tune_soup(tiny, pairs, **settings)
    markdown = card(soup)
    assert (
        "The average of the weights of 3 encoders, trained from the same start on the "
        "same data, with the seeds 7, 8, 9." in markdown
    )
    *_, given, members, log = tables(markdown)
    assert ["seed", "7, 8, 9"] in given
    assert members[0] == ["member", "seed", "epochs", "steps", "kept epoch"]
    runs = soup.record.runs
    for row, run in zip(members[1:], runs, strict=True):
        expected = (run.seed, run.epochs, run.steps, run.kept_epoch)
        assert row[1:] == [str(value) for value in expected]
    assert [row[0] for row in members[1:]] == ["0", "1", "2"]
    assert log[0] == ["member", "epoch", *soup.history.columns]
    assert [row[:2] for row in log[1:]] == [[m, e] for m in "012" for e in "012"]
    bold = [line for line in markdown.splitlines() if line.startswith("| **")]
    assert [line.split(" | ")[:2] for line in bold] == [
        [f"| **{place}**", f"**{run.kept_epoch}**"] for place, run in enumerate(runs)
    ]
    seconds = ", ".join(f"{run.seconds:,} seconds" for run in runs)
    assert f"Training took {seconds}." in markdown
    assert "tuned on a data set of 20 examples" in markdown


@pytest.mark.parametrize("result", ["tuned", "tiny"])
def test_the_snippet_runs_and_prints_what_it_says(request, monkeypatch, result):
    result = request.getfixturevalue(result)
    encoder = result.encoder if isinstance(result, FineTuned) else result
    (snippet,) = re.findall(r"```python\n(.*?)```", card(result), re.DOTALL)
    asked = []
    monkeypatch.setattr(usetune, "load_encoder", lambda x: asked.append(x) or encoder)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(snippet, {"__builtins__": builtins})
    assert asked == ["hf://owner/titles"]
    shape, *cosines = printed.getvalue().splitlines()
    assert f"print(embeddings.shape)  # {shape}\n" in snippet
    assert "".join(f"# {line}\n" for line in cosines) in snippet


def test_what_to_install(tiny):
    assert '`pip install "usetune[share]"`' in card(tiny)
    assert '`pip install "usetune"`' in card(tiny, load="tuned")


def test_what_a_transformer_needs(monkeypatch):
    encoder = TinyEncoder()
    encoder.max_length = 77
    monkeypatch.setitem(model_card.__globals__, "TransformerEncoder", TinyEncoder)
    for one in (encoder, encoder.truncate(4)):
        markdown = card(one)
        assert '`pip install "usetune[bert,share]"`' in markdown
        assert "It reads the first 77 tokens of a text." in markdown


def test_an_encoder_alone_has_no_training(tiny):
    markdown = card(tiny, description="The mean of three.", scores={}, base="a b")
    assert headings(huggingface_hub.ModelCard(markdown).text) == [
        "titles",
        "Usage",
        "Limits",
    ]
    assert "made from a b, with usetune" in markdown
    data = huggingface_hub.ModelCard(markdown).data
    assert data.tags == ["sentence-similarity", "feature-extraction"]
    assert data.base_model is None and data.eval_results is None
    assert data.metrics is None


def test_names_cannot_break_out_of_the_header(tiny):
    evil = "x: y\n---\nlicense: mit\n# \"': [a, {b"
    markdown = card(
        tiny,
        name=evil,
        license=evil,
        language=["en", evil],
        base=evil,
        scores={evil: {evil: (0.1, 0.2)}},
    )
    read = huggingface_hub.ModelCard(markdown)
    flat = " ".join(evil.split())
    assert read.data.model_name == read.data.license == flat
    assert read.data.language == ["en", flat]
    (result,) = read.data.eval_results
    assert result.dataset_name == result.metric_type == flat
    assert headings(read.text) == [flat, "Usage", "Evaluation", flat, "Limits"]
    assert tables(read.text)[0][1][0] == flat


def test_no_network(tiny, monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("no network in this test")

    monkeypatch.setattr(socket, "socket", refuse)
    assert card(tiny)


def test_citations(tuned):
    mine = "@misc{me,\n  title = {Mine},\n}"
    (entries,) = re.findall(
        r"```bibtex\n(.*?)```", card(tuned, citation=mine), re.DOTALL
    )
    assert entries.startswith(mine)
    for paper in ("2205.13147", "1705.00652"):
        assert f"eprint = {{{paper}}}" in entries
    assert entries.count("@") == 3
    # The class counts, behind projections too.
    encoder = type("UniversalSentenceEncoder", (TinyEncoder,), {})()
    assert "1907.04307" in card(encoder.truncate(8).truncate(4), scores={})


def test_every_loss_has_its_paper_once():
    losses = {loss.__name__ for losses in LOSSES_FOR.values() for loss in losses}
    for name in (*losses, "Matryoshka", "Cached", "UniversalSentenceEncoder"):
        assert bibtex([name]).count("@misc{") == 1, name
    assert bibtex(["CosineSquaredError", "Softmax"]).count("@misc{") == 1
    assert bibtex(["TransformerEncoder", "Mine"]).count("@misc{") == 2
    everything = bibtex([*losses, "Matryoshka", "Cached"])
    assert everything.count("{") == everything.count("}")
    assert "doi = {10.1109/TASLP.2024.3402087}" in everything
    assert bibtex(["Mine"]) == ""


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"limits": " "}, "limits must not be empty. Received: ' '"),
        ({"load": ""}, "load must not be empty"),
        (
            {"scores": {"a": pd.DataFrame({"value": [1]})}},
            r"'a'.*Received: \['value'\]",
        ),
    ],
)
def test_faults(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        card(tiny, **changes)


@pytest.mark.parametrize("text", [NASTY, "__x__", "a\\", "&#124;", "* a", "<b>", "`"])
def test_text_is_shown_as_it_is(text):
    assert tables(table(["h"], [[text], ["z"]])) == [
        [["h"], [" ".join(text.split())], ["z"]]
    ]
    assert html.unescape(escape(text)) == one_line(text)


def test_what_stays_readable():
    assert escape("val_loss 50 % (a) #1 - b") == "val_loss 50 % (a) #1 - b"
    assert one_line("a\n\tb\u2029\ud800") == "a b \ufffd"
    assert number(float("nan")) == "–" and number(0.5, "+.1f") == "+0.5"
