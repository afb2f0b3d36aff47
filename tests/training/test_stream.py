import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from usetune.training.stream import BatchStream
from usetune.training.training_set import TrainingSet


def scored(count, prefix="s"):
    texts = [f"{prefix}{number}" for number in range(count)]
    return pd.DataFrame(
        {"base": texts, "ref": texts, "similarity": 0.5 + np.arange(count) / count / 2}
    )


def triplets(count):
    texts = {
        column: [f"{column} {number}" for number in range(count)]
        for column in ("anchor", "positive", "negative")
    }
    return pd.DataFrame(texts)


def feed(tables, mixing="proportional", seed=0, batch_size=4):
    examples = []
    for table in tables:
        data = TrainingSet(table, table, batch_size=batch_size)
        examples.append(data.examples(data.training))
    return BatchStream(examples, mixing, seed)


def take(data, count):
    return [(texts.numpy(), target.numpy()) for texts, target in data.take(count)]


def test_each_pass_holds_every_example_once_with_its_target():
    table = scored(10)
    data = feed([table])
    assert data.steps == 3
    batches = take(data.training(), 6)
    orders = []
    for epoch in (batches[:3], batches[3:]):
        texts = np.concatenate([texts for texts, _ in epoch])
        target = np.concatenate([target for _, target in epoch])
        assert texts.shape == (10, 2) and target.shape == (10, 1)
        rows = [int(text[1:]) for text in texts[:, 0]]
        assert sorted(rows) == list(range(10))
        np.testing.assert_allclose(target[:, 0], 0.5 + np.array(rows) / 20)
        orders.append(rows)
    assert orders[0] != orders[1]


@pytest.mark.parametrize("mixing", ["proportional", "round_robin"])
def test_a_start_in_the_middle_gives_what_would_have_come(mixing):
    tables = [scored(10), triplets(21)]
    own, another = feed(tables, mixing), feed(tables, mixing, seed=1)
    whole = take(own.training(), 12)
    rest = take(own.training(start=5), 7)
    for (texts, target), (same, equal) in zip(whole[5:], rest, strict=True):
        np.testing.assert_array_equal(texts, same)
        np.testing.assert_array_equal(target, equal)
    assert any(
        texts.tolist() != different.tolist()
        for (texts, _), (different, _) in zip(
            whole, take(another.training(), 12), strict=True
        )
    )


def test_proportional_takes_every_data_set_once_in_a_pass():
    tables = [scored(8), triplets(20)]
    data = feed(tables)
    assert data.steps == 2 + 5
    for start in (0, data.steps):
        batches = take(data.training(start=start), data.steps)
        numbers = [int(target[0, 0]) for _, target in batches]
        assert sorted(numbers) == [0] * 2 + [1] * 5
        for number, columns in ((0, 2), (1, 3)):
            own = [texts for texts, target in batches if target[0, 0] == number]
            assert {texts.shape[1] for texts in own} == {columns}
            first = np.concatenate([texts[:, 0] for texts in own])
            assert len(set(first)) == len(first) == len(tables[number])


def test_round_robin_takes_turns_until_the_shortest_is_through():
    data = feed([scored(8), triplets(20), scored(12)], "round_robin")
    assert data.steps == 3 * 2
    numbers = [int(target[0, 0]) for _, target in take(data.training(), 6)]
    assert numbers == [0, 1, 2, 0, 1, 2]


def test_validation_is_always_the_same():
    own = feed([scored(10), triplets(6)])
    data = own.validation()
    assert data.cardinality() == 3 + 2
    once, again = take(data, 9), take(data, 9)
    assert len(once) == 5
    for (texts, _), (same, _) in zip(once, again, strict=True):
        np.testing.assert_array_equal(texts, same)


def test_no_text_and_no_thing_twice_in_a_batch():
    table = triplets(30).assign(occupation=[str(number % 10) for number in range(30)])
    table.loc[::2, "negative"] = "a text that comes often"
    data = feed([table], batch_size=10)
    for texts, target in take(data.training(), 40):
        flat = texts.ravel().tolist()
        assert len(set(flat)) == len(flat)
        assert len(set(target[:, 0])) == len(target)


def test_labels_are_no_things():
    pairs = scored(20).drop(columns="similarity").assign(label=[0, 1] * 10)
    data = TrainingSet(pairs, pairs, batch_size=10, batch_sampler="no_duplicates")
    examples = [data.examples(data.training)]
    assert BatchStream(examples, "proportional", 0).steps == 2


def test_unknown_mixing():
    with pytest.raises(ValueError, match="mixing must be one of.*Received: 'stirred'"):
        feed([scored(4)], "stirred")


def test_a_pass_may_need_more_batches_than_its_rows_fill():
    """Every row has the same negative, so that each is a batch of its own."""
    table = triplets(6).assign(negative="the same")
    data = feed([table])
    assert data.steps == 6
    batches = take(data.training(), 6)
    assert sorted(texts[0, 0].decode() for texts, _ in batches) == sorted(
        table["anchor"]
    )


def test_the_data_is_given_back_to_memory():
    """TensorFlow keeps a generator's function for ever."""
    own = feed([scored(10)])
    take(own.training(), 2)
    texts = weakref.ref(own._texts[0])
    del own
    gc.collect()
    assert texts() is None
