import enum

import numpy as np
import pandas as pd
import pytest

from usetune._utils.digest import digest


def test_a_table():
    table = pd.DataFrame({"text": ["a", "b"], "label": [0, 1]})
    same = table.set_axis([5, 6])
    assert digest(table) == digest(same)
    others = [
        table.iloc[::-1],
        table.iloc[:1],
        table.rename(columns={"text": "other"}),
        table[["label", "text"]],
        table.replace("b", "c"),
        table.astype({"label": float}),
        # Half a character, as broken files have it.
        table.assign(text=pd.Series(["a", "\ud800"], dtype=object)),
        table.assign(text=pd.Series(["a", None], dtype=object)),
    ]
    digests = {digest(own) for own in (table, *others)}
    assert len(digests) == len(others) + 1


def test_arrays_differ_in_dtype_shape_values_order_and_number():
    row = np.arange(4, dtype="f4")
    groups = [
        [row],
        [row.reshape(2, 2)],
        [row.view("i4")],
        [row.astype(">f4")],
        [row + 1],
        [row[:2], row[2:]],
        [row[2:], row[:2]],
        [row, row[:0]],
        [],
        [np.array(3, "f4")],
        [np.array([3], "f4")],
    ]
    assert len({digest(group) for group in groups}) == len(groups)
    square = np.arange(6.0).reshape(2, 3)
    # Values count, not how they lie in memory.
    assert digest([square.T]) == digest([square.T.copy()])


def test_arrays_count_whole_wherever_they_are():
    """NumPy writes a long array with an ellipsis in the middle."""
    long = np.zeros(5000)
    other = long.copy()
    other[2500] = 1
    assert repr(long) == repr(other)
    for wrap in (
        lambda array: array,
        lambda array: [array],
        lambda array: (1, array),
        lambda array: {"a": {"b": [array]}},
    ):
        assert digest(wrap(long)) == digest(wrap(long.copy()))
        assert digest(wrap(long)) != digest(wrap(other))
        assert digest(wrap(long)) != digest(wrap(long[None]))
    assert digest(np.zeros(2)) != digest([0.0, 0.0])


def test_settings_that_are_the_same():
    settings = {"b": [1, 2.5, None], "a": {"x": "y", "name": "adam_7"}}
    same = {"a": {"name": "adam", "x": "y"}, "b": (np.int64(1), np.float64(2.5), None)}
    assert digest(settings) == digest(same)
    kind = enum.IntEnum("kind", {"one": 1})
    assert digest(kind.one) == digest(1)
    assert digest(float("nan")) == digest(float("nan"))


def test_settings_that_differ():
    values = [
        None,
        True,
        1,
        1.0,
        "1",
        "None",
        b"1",
        "",
        [],
        {},
        [1],
        ["1"],
        [[1]],
        [1, [2]],
        [[1], 2],
        [1, 2],
        {"a": 1},
        {1: "a"},
        {"1": "a"},
        {"a": {"b": 1}},
        {"a": 1, "b": 1},
        {"b": 1},
        ["a", 1],
        ["a1"],
    ]
    assert len({digest(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2}]}, r"value\['a'\]\[1\] must be .* Received: builtins.set"),
        (object(), "value must be .* Received: builtins.object"),
        (pd.Series(), "Received: pandas.*Series"),
        (1j, "Received: builtins.complex"),
        (
            [np.array(["a"], dtype=object)],
            r"value\[0\] .* Received: numpy.ndarray object",
        ),
    ],
)
def test_unknown_types(value, message):
    with pytest.raises(TypeError, match=message):
        digest(value)
