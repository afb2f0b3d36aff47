"""What counts as a container of texts, and what to write instead of others."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

from usetune._utils.text import utf8

TEXTS = ["a", "é", "b c"]
BYTES = [text.encode() for text in TEXTS]


@pytest.mark.parametrize(
    "texts",
    [
        tuple(TEXTS),
        iter(TEXTS),
        dict.fromkeys(TEXTS).keys(),
        pd.Series(TEXTS, index=[5, 6, 7]),
        pd.Series(TEXTS, dtype="category"),
        pd.Index(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object),
        np.array(TEXTS, np.dtypes.StringDType()),
        pa.array(TEXTS),
        pa.chunked_array([TEXTS[:1], TEXTS[1:]]),
        pa.array(TEXTS).dictionary_encode(),
    ],
    ids=lambda texts: type(texts).__name__,
)
def test_containers_of_texts(texts):
    assert utf8(texts) == BYTES


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("one", r"Write \[texts\]. Received: 'one' of type str"),
        (b"one", r"Write \[bytes\(texts\).decode\(\)\].*of type bytes"),
        (bytearray(b"one"), "decode.*of type bytearray"),
        ({"a": "one"}, r"Write list\(texts.values\(\)\).*of type dict"),
        ({"a", "b"}, r"Write sorted\(texts\).*of type set"),
        (pd.DataFrame({"base": ["x"]}), r"one column.*\['base'\].*of type DataFrame"),
        (pa.table({"base": ["x"]}), r"one column.*\['base'\].*of type Table"),
        (tf.constant(["x"]), r"text.decode\(\) for text in texts.numpy.*EagerTensor"),
        (tf.data.Dataset.from_tensors("x"), "texts.as_numpy_iterator"),
        (np.array([["x"]]), r"Write texts.ravel\(\)"),
        (np.array("x"), r"Write texts.ravel\(\)"),
        (None, "Write a list. .* of type NoneType"),
        (np.array([b"x"]), r"texts\[0\] must be a str.*write text.decode\(\)"),
        (pa.array(["x", None]), r"texts\[1\] must be a str.*NoneType"),
        (pd.Series(["x", None]), r"texts\[1\] must be a str"),
        (["x", ["y"]], r"texts\[1\] must be a str.*of type list"),
    ],
)
def test_what_is_no_container_of_texts(texts, message):
    with pytest.raises(TypeError, match=message):
        utf8(texts)
