import json

import numpy as np
import pandas as pd
import pytest
from tensorboard.backend.event_processing import data_provider
from tensorboard.backend.event_processing import (
    plugin_event_multiplexer as event_multiplexer,
)
from tensorboard.plugins import base_plugin
from tensorboard.plugins.projector import projector_plugin
from werkzeug import test as werkzeug_test

from usetune.plots.tensorboard import export_projector

TEXTS = ["baker", "看護師", "pastry cook"]
ARRAYS = {
    name: np.random.default_rng(seed).normal(size=(3, 5)).astype("float32")
    for seed, name in enumerate(["base", "tuned"])
}


class Served:
    """TensorBoard's own plugin on a folder, asked as the browser asks it."""

    def __init__(self, folder):
        multiplexer = event_multiplexer.EventMultiplexer()
        multiplexer.AddRunsFromDirectory(str(folder))
        multiplexer.Reload()
        provider = data_provider.MultiplexerDataProvider(multiplexer, str(folder))
        context = base_plugin.TBContext(
            data_provider=provider, logdir=str(folder), multiplexer=multiplexer
        )
        self.plugin = projector_plugin.ProjectorPlugin(context)
        self.apps = self.plugin.get_plugin_apps()

    def get(self, route, **query):
        response = werkzeug_test.Client(self.apps[route]).get(
            route, query_string={"run": ".", **query}
        )
        assert response.status_code == 200, response.get_data()
        return response.get_data()

    def tensor(self, name):
        return np.frombuffer(self.get("/tensor", name=name), "float32")

    def metadata(self, name):
        """As projector_binary.js reads it: lines without content are left out."""
        text = self.get("/metadata", name=name).decode()
        lines = [line for line in text.split("\n") if line.strip()]
        return [line.split("\t") for line in lines]


def test_tensorboard_reads_it(tmp_path):
    metadata = pd.DataFrame({"isco": ["75", "22", None], "score": [0.5, np.nan, 1]})
    export_projector(tmp_path / "points", TEXTS, ARRAYS, metadata)
    served = Served(tmp_path / "points")
    assert json.loads(served.get("/runs")) == ["."]
    infos = json.loads(served.get("/info"))["embeddings"]
    assert [info["tensorName"] for info in infos] == ["base", "tuned"]
    assert [info["tensorShape"] for info in infos] == [[3, 5], [3, 5]]
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(served.tensor(name), array.ravel())
        assert served.metadata(name) == [
            ["text", "isco", "score"],
            ["baker", "75", "0.5"],
            ["看護師", "22", ""],
            ["pastry cook", "", "1.0"],
        ]


def test_one_column_has_no_header(tmp_path):
    export_projector(tmp_path, TEXTS, {"tuned": ARRAYS["tuned"]})
    assert Served(tmp_path).metadata("tuned") == [[text] for text in TEXTS]


def test_what_would_break_lines_is_replaced_and_said(tmp_path):
    texts = ["a\tb\r\nc\u2028d", "", "\u2028 \n"]
    metadata = pd.DataFrame({"no\te": ["x\ny", "z", "w"]})
    with pytest.warns(UserWarning, match="in 3 cells, and 2 texts"):
        export_projector(tmp_path, texts, ARRAYS, metadata)
    assert Served(tmp_path).metadata("base") == [
        ["text", "no e"],
        ["a b c d", "x y"],
        ["(empty)", "z"],
        ["(empty)", "w"],
    ]


def test_lone_surrogates_are_written(tmp_path):
    metadata = pd.DataFrame({"note": ["\ud800", "b", "c"]}, dtype=object)
    export_projector(tmp_path, ["\udfff", "b", "c"], ARRAYS, metadata)
    assert Served(tmp_path).metadata("base")[1] == ["\ufffd", "\ufffd"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], ARRAYS), "at least one text.*Received: 0 texts"),
        ((TEXTS, {}), r"Received: 3 texts, embeddings \[\]"),
        ((TEXTS[:2], ARRAYS), r"'base'.*\(2, dim\).*Received: \(3, 5\)"),
        ((TEXTS, {"a": np.ones((3, 1))}), r"least 2. Received: \(3, 1\)"),
        ((TEXTS, {"a": np.full((3, 2), np.nan)}), "finite"),
        ((TEXTS, {"a/b": np.ones((3, 2))}), "Received: 'a/b'"),
        ((TEXTS, {"metadata": np.ones((3, 2))}), "Received: 'metadata'"),
        ((TEXTS, {"Metadata": np.ones((3, 2))}), "Received: 'Metadata'"),
        ((TEXTS, ARRAYS, pd.DataFrame({"a": [1]})), "Received: 1 rows"),
        ((TEXTS, ARRAYS, pd.DataFrame({"text": [1, 2, 3]})), "no column 'text'"),
    ],
)
def test_faults(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        export_projector(tmp_path / "new", *arguments)
    assert not (tmp_path / "new").exists()


def test_a_full_folder_stays_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(FileExistsError, match="a new folder is needed"):
        export_projector(tmp_path, TEXTS, ARRAYS)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
