"""The command line: the figures of Python, clear failures, no file overwritten."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from click.testing import CliRunner

from tests import ROOT
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import (
    DomainEvaluator,
    EarlyStopping,
    fine_tune,
    load_encoder,
    load_pairs,
    split_pairs,
    sts_benchmark,
)
from usetune.cli import embedding, scoring, tuning
from usetune.cli.commands import commands
from usetune.cli.measures import held_out_evaluator
from usetune.cli.reporting import as_json
from usetune.evaluation import (
    BinaryClassificationEvaluator,
    SimilarityEvaluator,
    TripletEvaluator,
    bootstrap,
)
from usetune.training import trade_off

# Where the benchmark is not at hand, the sample stands in.
pytestmark = pytest.mark.filterwarnings("ignore:.*NOT the STS benchmark:UserWarning")

TITLES = [f"{level} {job}" for level in "abcdef" for job in ("cook", "nurse", "smith")]


def run(*arguments):
    return CliRunner().invoke(commands, [str(argument) for argument in arguments])


@pytest.fixture
def fake(monkeypatch):
    """Handles are seeds of small encoders; folders are loaded as they are."""

    def load(handle):
        return (
            TinyEncoder(seed=int(handle)) if handle.isdigit() else load_encoder(handle)
        )

    for module in (embedding, scoring, tuning):
        monkeypatch.setattr(module, "load_encoder", load)
    # A thousand samples take seconds; Python's figures are made of these few as well.
    drawn = bootstrap._drawn
    monkeypatch.setattr(
        bootstrap,
        "_drawn",
        lambda metrics, size, _, seed: drawn(metrics, size, 9, seed),
    )


@pytest.fixture
def positive(tmp_path):
    path = tmp_path / "pairs.csv"
    table = {"anchor": TITLES, "positive": [title.split()[1] for title in TITLES]}
    pd.DataFrame(table).assign(positive=lambda x: "the " + x["anchor"].str[:1]).to_csv(
        path, index=False
    )
    return path


@pytest.fixture
def scored(tmp_path):
    path = tmp_path / "scored.csv"
    table = {"base": TITLES, "ref": TITLES[::-1], "similarity": np.linspace(0.5, 1, 18)}
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def close(found, table):
    assert {*found} == {*table.index}
    for name, row in table.iterrows():
        assert found[name] == {
            column: None if np.isnan(value) else pytest.approx(value, abs=1e-6)
            for column, value in row.items()
        }


def test_tune_gives_the_figures_of_python(fake, positive, tmp_path):
    out = tmp_path / "tuned"
    arguments = [positive, "--out", out, "--base", 3, "--epochs", 2, "--seed", 5]
    done = run("tune", *arguments, "--no-sts", "--trade-off", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)

    pairs = load_pairs(positive)
    grouped = pairs.assign(group=pairs["positive"])
    training, validation = split_pairs(grouped, 0.25, "group", 5)
    names = pairs["positive"].unique().tolist()
    domain = DomainEvaluator(validation[["anchor", "positive"]], names)
    base = TinyEncoder(seed=3)
    result = fine_tune(
        base,
        training,
        validation_data=validation,
        evaluators=[domain],
        early_stopping=EarlyStopping("mrr@10"),
        epochs=2,
        seed=5,
    )
    close(report["held_out"], domain.score(base).compare(domain.score(result.encoder)))
    alphas = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]
    between = trade_off(base, result.encoder, alphas, domain).set_index("alpha")
    close(report["trade_off"], between.set_axis(map(str, alphas)))
    saved = load_encoder(out)
    np.testing.assert_allclose(
        saved.encode(TITLES), result.encoder.encode(TITLES), atol=1e-6
    )
    assert report["loss"] == "MultipleNegativesRanking"
    assert report["training"] == len(training)
    assert report["validation"] == len(validation)


def test_a_validation_of_its_own(fake, positive, tmp_path):
    held_out = tmp_path / "held.csv"
    others = {"anchor": ["x y", "y z", "z x"], "positive": ["the x", "the y", "the z"]}
    pd.DataFrame(others).to_csv(held_out, index=False)
    arguments = [positive, "--out", tmp_path / "t", "--base", 3, "--epochs", 1]
    done = run("tune", *arguments, "--validation", held_out, "--no-sts", "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    counted = [report[name] for name in ("training", "validation", "left_out")]
    assert counted == [len(TITLES), 3, 0]


@pytest.mark.filterwarnings("always:.*texts of the validation are trained on")
def test_scored_pairs_and_an_encoder_between(fake, scored, tmp_path):
    """The folder is replaced when that is asked for."""
    arguments = ["tune", scored, "--base", 0, "--epochs", 1, "--no-sts"]
    base = TinyEncoder(seed=0).encode(TITLES)
    for alpha, more in (0, []), (1, ["--overwrite"]):
        done = run(*arguments, "--out", tmp_path / "t", "--alpha", alpha, *more)
        assert done.exit_code == 0, done.stderr
        assert "pearson_cosine" in done.stdout
        assert "6 texts of the validation are trained on" in done.stderr
        saved = load_encoder(tmp_path / "t").encode(TITLES)
        assert (abs(saved - base).max() > 1e-6) == alpha


def test_classes_are_tuned_and_not_measured(fake, tmp_path):
    path = tmp_path / "classes.jsonl"
    table = pd.DataFrame({"text": TITLES, "label": [0, 1] * 9})
    table.to_json(path, orient="records", lines=True)
    arguments = ["--out", tmp_path / "t", "--base", 0, "--epochs", 1, "--no-sts"]
    done = run("tune", path, *arguments)
    assert done.exit_code == 0, done.stderr
    assert "BatchHardSoftMargin" in done.stdout and "held out" not in done.stdout
    done = run("score", 0, "--pairs", path)
    assert done.exit_code == 1 and "no evaluator measures texts with" in done.stderr


@pytest.mark.parametrize(
    ("columns", "metrics"),
    [
        (["anchor", "positive"], DomainEvaluator),
        (["anchor", "positive", "negative"], TripletEvaluator),
        (["base", "ref", "label"], BinaryClassificationEvaluator),
        (["base", "ref", "similarity"], SimilarityEvaluator),
    ],
)
def test_the_measure_of_each_format(columns, metrics):
    cells = [TITLES, TITLES[::-1], TITLES if columns[-1] == "negative" else [0, 1] * 9]
    pairs = pd.DataFrame(dict(zip(columns, cells, strict=False)))
    assert type(held_out_evaluator(pairs, TITLES)) is metrics


def test_score_gives_the_figures_of_python(fake, scored, offline):
    done = run("score", 1, "--base", 0, "--pairs", scored, "--json")
    assert done.exit_code == 0, done.stderr
    report = json.loads(done.stdout)
    base, tuned = TinyEncoder(seed=0), TinyEncoder(seed=1)
    sts = sts_benchmark(base)
    assert report["sts_source"] == sts.source
    close(report["sts"], sts.compare(sts_benchmark(tuned)))
    evaluator = SimilarityEvaluator(load_pairs(scored))
    close(report["pairs"], evaluator.score(base).compare(evaluator.score(tuned)))
    alone = run("score", 1)
    assert alone.exit_code == 0 and "difference" not in alone.stdout
    assert f"{report['sts']['pearson']['tuned']:.4f}" in alone.stdout


def test_embed_writes_a_vector_for_each_row(fake, tmp_path):
    expected = TinyEncoder(seed=4).encode(["b", "", "a", "b"])
    (tmp_path / "t.txt").write_text("b\n\na\r\nb")
    pd.DataFrame({"id": ["1", "2", "3", "4"], "title": ["b", "", "a", "b"]}).to_csv(
        tmp_path / "t.csv", index=False
    )
    for name, out in (("t.txt", "o.npy"), ("t.csv", "o.parquet")):
        arguments = [tmp_path / name, "--out", tmp_path / out, "--encoder", 4]
        if name == "t.csv":
            arguments += ["--column", "title"]
        done = run("embed", *arguments)
        assert done.exit_code == 0, done.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), expected)
    table = pd.read_parquet(tmp_path / "o.parquet")
    np.testing.assert_array_equal(np.stack(table["embedding"]), expected)
    assert table["id"].tolist() == ["1", "2", "3", "4"]
    (tmp_path / "m.jsonl").write_text('{"text": "a", "x": 1}\n{"text": "b", "x": "y"}')
    arguments = ["--out", tmp_path / "m.parquet", "--column", "text"]
    done = run("embed", tmp_path / "m.jsonl", *arguments, "--encoder", 4)
    assert done.exit_code == 1 and "that Parquet does not hold" in done.stderr
    (tmp_path / "m.jsonl").unlink()
    # The first is replaced when that is asked for, and nothing else is left.
    arguments = ["--out", tmp_path / "o.npy", "--encoder", 5, "--overwrite"]
    assert run("embed", tmp_path / "t.txt", *arguments).exit_code == 0
    assert not np.array_equal(np.load(tmp_path / "o.npy"), expected)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["o.npy", "o.parquet", "t.csv", "t.txt"]


def test_failures_are_one_line(fake, positive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "semicolons.csv").write_text("anchor;positive\na;b\n")
    (tmp_path / "other.csv").write_text("x,y\na,b\n")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    (tmp_path / "old.npy").write_text("mine")
    tune = ["tune", "--base", "0", "--no-sts"]
    for arguments, message in [
        ([*tune, "no.csv", "--out", "t"], "no.csv"),
        ([*tune, "semicolons.csv", "--out", "t"], "separated by semicolons"),
        ([*tune, "other.csv", "--out", "t"], "must have the columns"),
        ([*tune, positive, "--out=t", "--rename=anchor=a"], "; --rename title=anchor"),
        ([*tune, positive, "--out", "full"], "full exists; --overwrite replaces"),
        ([*tune, positive, "--out", "full", "--overwrite"], "has no usetune.json"),
        ([*tune, positive, "--out", "t", "--loss", "Triplet"], "--loss must be one of"),
        ([*tune, positive, "--out", "t", "--validation", "other.csv"], "other.csv"),
        (["score", "0", "--pairs", "other.csv"], "must have the columns"),
        (["embed", positive, "--out", "t.npy"], "say --column NAME"),
        (["embed", positive, "--out", "t.txt"], "must end in .npy or .parquet"),
        (["embed", positive, "--out", "old.npy"], "old.npy exists; --overwrite"),
        (["embed", "no.txt", "--out", "t.npy"], "no.txt"),
    ]:
        done = run(*arguments)
        assert (done.exit_code, done.stdout) == (1, ""), (arguments, done.stderr)
        (line,) = [x for x in done.stderr.splitlines() if x.startswith("error: ")]
        assert message in line and "Traceback" not in done.stderr
    assert not (tmp_path / "t").exists() and not (tmp_path / "t.npy").exists()
    assert (tmp_path / "full" / "mine").read_text() == "mine"
    assert (tmp_path / "old.npy").read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (TypeError("texts[0] must be a str"), "TypeError: texts[0] must be a str ("),
        (RuntimeError("out of\n  reach"), "RuntimeError: out of reach ("),
        (KeyError("label"), "KeyError: 'label' ("),
        (MemoryError(), "MemoryError:  (USETUNE_TRACEBACK=1 shows where)"),
        (tf.errors.ResourceExhaustedError(None, None, "OOM"), "ResourceExhaustedErr"),
        (OSError("two  spaces.csv\nis gone"), "two  spaces.csv is gone"),
    ],
)
def test_every_failure_is_one_line(fake, monkeypatch, error, said):
    def fail(handle):
        raise error

    monkeypatch.setattr(scoring, "load_encoder", fail)
    monkeypatch.delenv("USETUNE_TRACEBACK", raising=False)
    done = run("score", "0")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith(f"error: {said}")
    assert "Traceback" not in done.stderr


def test_a_traceback_can_be_asked_for(fake, monkeypatch):
    monkeypatch.setattr(scoring, "load_encoder", {}.__getitem__)
    assert "USETUNE_TRACEBACK=1 shows where" in run("score", "0").stderr
    monkeypatch.setenv("USETUNE_TRACEBACK", "1")
    done = run("score", "0")
    assert isinstance(done.exception, KeyError) and done.exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["tune"],
        ["tune", "pairs.csv"],
        ["tune", "pairs.csv", "--out", "t", "--rename", "a"],
        ["tune", "pairs.csv", "--out", "t", "--alpha", "2"],
        ["tune", "pairs.csv", "--out", "t", "--epochs", "0"],
        ["score", "--split", "all"],
        ["train"],
    ],
)
def test_wrong_usage(arguments):
    done = run(*arguments)
    assert done.exit_code == 2 and "Usage: " in done.stderr and not done.stdout


def test_help_is_quick_and_has_examples():
    """Without TensorFlow, for which it would wait seconds."""
    code = (
        "import sys; from usetune.cli.commands import commands\n"
        "try: commands(sys.argv[1:], prog_name='usetune')\n"
        "except SystemExit: print([x for x in ('tensorflow', 'pandas', 'numpy') "
        "if x in sys.modules])"
    )
    for name in ([], ["tune"], ["score"], ["embed"], ["page"]):
        done = subprocess.run(
            [sys.executable, "-c", code, *name, "--help"],
            env={"PYTHONPATH": str(ROOT / "src")},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.endswith("[]\n")
        assert f"\n  usetune {' '.join(name)}" in done.stdout


def test_control_c_leaves_nothing_behind(fake, positive, tmp_path, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "fine_tune", interrupt)
    out = tmp_path / "t"
    done = run("tune", positive, "--out", out, "--base", 0, "--no-sts", "--json")
    assert (done.exit_code, done.stdout) == (130, "")
    assert done.stderr.endswith("\ninterrupted\n")
    assert [*tmp_path.iterdir()] == [positive]


def test_numbers_that_json_lacks_are_null():
    table = pd.DataFrame({"low": [np.nan], "n": [3]}, index=["margin"])
    written = as_json({"table": table, "name": "é"})
    assert written == '{"table": {"margin": {"low": null, "n": 3}}, "name": "é"}'
