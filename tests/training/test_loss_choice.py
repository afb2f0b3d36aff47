import re
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from tests import ROOT
from usetune import fine_tune, load_pairs, losses, suggest_loss
from usetune.data.formats import FORMATS, format_of
from usetune.losses import (
    GIST,
    AnglE,
    Cached,
    CoSENT,
    EmbeddingLoss,
    Matryoshka,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
)
from usetune.training import LOSSES_FOR, TrainingSet
from usetune.training.loss_choice import default_loss

TEXTS = ["cook", "chef", "nurse", "miner", "baker", "clerk", "pilot", "judge"]
TABLES = {
    "scored pairs": {"similarity": np.linspace(0.5, 1, 8)},
    "pairs labelled 0 or 1": {"label": [0, 1] * 4},
    "pairs labelled with a class": {"label": [0, 1, 2, 3] * 2},
    "positive pairs": {},
    "triplets": {"negative": TEXTS[2:] + TEXTS[:2]},
    "texts with a class": {"label": [0, 1] * 4},
}


def table(name):
    if name == "texts with a class":
        columns = {"text": TEXTS}
    elif name in ("positive pairs", "triplets"):
        columns = {"anchor": TEXTS, "positive": TEXTS[1:] + TEXTS[:1]}
    else:
        columns = {"base": TEXTS, "ref": TEXTS[1:] + TEXTS[:1]}
    return pd.DataFrame({**columns, **TABLES[name]})


def test_every_format_and_every_loss_is_in_the_table():
    assert list(LOSSES_FOR) == [format.name for format in FORMATS]
    fitting = {loss.__name__ for known in LOSSES_FOR.values() for loss in known}
    classes = {
        name
        for name, value in vars(losses).items()
        if isinstance(value, type) and issubclass(value, EmbeddingLoss)
    }
    assert fitting == classes - {"EmbeddingLoss", "Matryoshka", "Cached"}


@pytest.mark.parametrize("name", TABLES)
def test_suggestion(name):
    suggestion = suggest_loss(table(name))
    assert suggestion.format == name and suggestion.rows == 8
    first, *_ = suggestion.losses
    assert first is next(iter(LOSSES_FOR[name]))
    lines = str(suggestion).splitlines()
    assert lines[0].startswith(f"8 {name}.")
    assert lines[1].startswith(f"- {first.__name__}: ")
    assert len(lines) == 1 + len(suggestion.losses)
    assert isinstance(default_loss(table(name), format_of(table(name))), first)


@pytest.mark.parametrize(
    ("loss", "warns"), [(None, True), ("mean_absolute_error", True), (CoSENT(), False)]
)
def test_a_scale_of_scores_matters_to_losses_of_angles(loss, warns):
    pairs = table("scored pairs").assign(similarity=[0, 1] * 4)
    expected = pytest.warns(UserWarning, match="pairs own: 4 of 8 similarities")
    with expected if warns else nullcontext():
        TrainingSet(pairs, loss=loss, name="own")


def test_gaps_between_labels():
    pairs = table("pairs labelled with a class").assign(label=[3, 1_000_000] * 4)
    message = r"2 different labels up to 1000000, for a classifier of 1,000,001 classes"
    with pytest.raises(ValueError, match=f"{message}.*pandas.factorize") as caught:
        TrainingSet(pairs)
    code = re.search(r"pairs\['label'\] = .*?\[0\]", str(caught.value))
    exec(code[0], {"pandas": pd, "pairs": pairs})
    TrainingSet(pairs)
    # Who says how many classes there are knows of those that do not occur.
    few = pairs.assign(label=[3, 9] * 4)
    assert TrainingSet(few, loss=Softmax(10)).loss.classes == 10


@pytest.mark.parametrize(
    ("label", "name"), [("1.0", "0 or 1"), ("2.0", "with a class")]
)
def test_labels_are_recognised_however_written(tmp_path, label, name):
    path = tmp_path / "pairs.csv"
    path.write_text(f"base,ref,label\na,b,0.0\nc,d,{label}\n")
    pairs = load_pairs(path)
    assert pairs.attrs["format"].endswith(name)
    assert suggest_loss(pairs).format == pairs.attrs["format"]


def test_angles_need_negatives():
    pairs = table("positive pairs")
    assert AnglE not in suggest_loss(pairs).losses
    assert AnglE in suggest_loss(pairs.assign(negative_1="x")).losses
    with pytest.raises(ValueError, match="AnglE does not fit positive pairs"):
        fine_tune(None, pairs, loss=AnglE())


def test_classes_are_counted():
    pairs = table("pairs labelled with a class")
    assert default_loss(pairs, format_of(pairs)).classes == 4
    with pytest.raises(ValueError, match="Softmax has 3 classes.*the label 3"):
        fine_tune(None, pairs, loss=Softmax(3))


@pytest.mark.parametrize(
    ("name", "loss"),
    [
        ("scored pairs", MultipleNegativesRanking()),
        ("pairs labelled 0 or 1", CoSENT()),
        ("pairs labelled with a class", OnlineContrastive()),
        ("positive pairs", Triplet()),
        ("positive pairs", Matryoshka(CoSENT(), [64])),
        ("triplets", OnlineContrastive()),
        ("texts with a class", Cached(MultipleNegativesRanking())),
        ("positive pairs", "mean_squared_error"),
    ],
)
def test_a_loss_that_does_not_fit_is_refused_before_anything_is_done(name, loss):
    with pytest.raises(ValueError, match=f"does not fit {name}. Expected "):
        fine_tune(None, table(name), loss=loss)


def test_a_guide_is_needed():
    with pytest.raises(ValueError, match="GIST needs a guide"):
        fine_tune(None, table("positive pairs"), loss=GIST())


def test_a_loss_of_ones_own_fits(tiny):
    class Own(EmbeddingLoss):
        def call(self, y_true, y_pred):
            return -y_pred[:, 0, 0]

    result = fine_tune(tiny, table("triplets"), loss=Own(), epochs=1)
    assert result.history["val_loss"][1] < result.history["val_loss"][0]


def test_batches_must_fit(tiny):
    with pytest.raises(ValueError, match="by_label only for.*Received: 'by_label'"):
        TrainingSet(table("triplets"), batch_sampler="by_label")
    with pytest.raises(ValueError, match="must be one of.*Received: 'pairs'"):
        TrainingSet(table("triplets"), batch_sampler="pairs")
    with pytest.raises(ValueError, match="even and at least 4"):
        fine_tune(tiny, table("texts with a class"), batch_size=3)


def test_the_table_of_the_guide():
    text = (ROOT / "docs" / "guides" / "losses.md").read_text()
    start = text.index("| data | columns | losses, the default first |")
    rows = text[start : text.index("\n\n", start)].splitlines()[2:]
    table = [[re.findall(r"`(\w+)`", cell) for cell in row.split("|")] for row in rows]
    assert [row.split("|")[1].strip() for row in rows] == list(LOSSES_FOR)
    for (_, _, columns, fitting, _), format in zip(table, FORMATS, strict=True):
        optional = ["negative_1"] if format.name == "positive pairs" else []
        assert columns == [*format.columns, *optional]
        assert fitting == [loss.__name__ for loss in LOSSES_FOR[format.name]]
