import enum

import numpy as np
import pandas as pd
import pytest

from usetune._utils.digest import digest_arrays, digest_settings, digest_table


def test_a_table():
    table = pd.DataFrame({"text": ["a", "b"], "label": [0, 1]})
    same = table.set_axis([5, 6])
    assert digest_table(table) == digest_table(same)
    others = [
        table.iloc[::-1],
        table.iloc[:1],
        table.rename(columns={"text": "other"}),
        table[["label", "text"]],
        table.replace("b", "c"),
        table.astype({"label": float}),
    ]
    digests = {digest_table(own) for own in (table, *others)}
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
    assert len({digest_arrays(group) for group in groups}) == len(groups)
    square = np.arange(6.0).reshape(2, 3)
    # Values count, not how they lie in memory.
    assert digest_arrays([square.T]) == digest_arrays(iter([square.T.copy()]))


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
        assert digest_settings(wrap(long)) == digest_settings(wrap(long.copy()))
        assert digest_settings(wrap(long)) != digest_settings(wrap(other))
        assert digest_settings(wrap(long)) != digest_settings(wrap(long[None]))
    assert digest_settings(np.zeros(2)) != digest_settings([0.0, 0.0])


def test_settings_that_are_the_same():
    settings = {"b": [1, 2.5, None], "a": {"x": "y", "name": "adam_7"}}
    same = {"a": {"name": "adam", "x": "y"}, "b": (np.int64(1), np.float64(2.5), None)}
    assert digest_settings(settings) == digest_settings(same)
    kind = enum.IntEnum("kind", {"one": 1})
    assert digest_settings(kind.one) == digest_settings(1)
    assert digest_settings(float("nan")) == digest_settings(float("nan"))


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
    assert len({digest_settings(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"a": [1, {2}]}, r"settings\['a'\]\[1\] must be .* Received: builtins.set"),
        (object(), "settings must be .* Received: builtins.object"),
        (pd.DataFrame(), "Received: pandas.*DataFrame"),
        (1j, "Received: builtins.complex"),
        ([np.array(["a"], dtype=object)], r"settings\[0\] .* Received: dtype object"),
    ],
)
def test_unknown_types(value, message):
    with pytest.raises(TypeError, match=message):
        digest_settings(value)


def test_what_is_no_array():
    with pytest.raises(
        TypeError, match=r"arrays\[1\] must be an array. .*builtins.list"
    ):
        digest_arrays([np.zeros(2), [0.0]])
    with pytest.raises(TypeError, match=r"arrays\[0\] .* Received: dtype object"):
        digest_arrays([np.array([None])])
