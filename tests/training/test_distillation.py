"""A static student has its teacher's similarities."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from tests.fakes.tiny_static import tiny_static
from usetune import distil

WORDS = "data nurse pastry cook senior metal inspector clerk".split()
TEXTS = [" ".join(words) for words in itertools.combinations(WORDS, 3)]
OTHERS = [" ".join(words) for words in itertools.combinations(WORDS, 4)]
UNSEEN = ["guitar", "snow", "park", "flute", "bridge", "lamp"]


@pytest.fixture(scope="module")
def teacher():
    """A sum of tokens itself, so that a student can equal it."""
    return tiny_static(dim=16)


@pytest.fixture(scope="module")
def student(teacher):
    return distil(teacher, TEXTS, dim=16)


def agreement(student, teacher, texts):
    """Correlation of the cosines of all pairs of texts."""
    pairs = np.triu_indices(len(texts), 1)
    embeddings = [encoder.encode(texts) for encoder in (student, teacher)]
    return np.corrcoef(*((own @ own.T)[pairs] for own in embeddings))[0, 1]


def test_it_has_the_similarities_of_its_teacher(student, teacher):
    assert agreement(student, teacher, OTHERS) > 0.97


def test_tokens_that_its_texts_lack_are_the_teacher_s_own(student, teacher):
    """Turned to other axes, which are the same for all."""
    tokens = student._tokenize(tf.constant(UNSEEN)).values.numpy()
    assert len(tokens) >= len(UNSEEN)
    pieces = student.tokenizer.id_to_string(tokens).numpy()
    alone = teacher.encode([piece.decode().strip("▁") for piece in pieces])
    rows = student.embedding.lookup(tokens).numpy()
    np.testing.assert_allclose(rows @ rows.T, alone @ alone.T, atol=1e-5)


def test_fewer_components_keep_most(student, teacher):
    half = distil(teacher, TEXTS, dim=6)
    assert half.dim == 6 and agreement(half, teacher, TEXTS) > 0.95


def test_a_text_without_tokens_has_an_embedding(student):
    np.testing.assert_allclose(np.linalg.norm(student.encode([""])), 1, rtol=1e-6)


def test_what_is_refused(teacher):
    with pytest.raises(ValueError, match="dim must be from 1 to 16. Received: 17"):
        distil(teacher, TEXTS, dim=17)
    with pytest.raises(ValueError, match="at least 6 different ones.*Received: 2"):
        distil(teacher, ["a", "b", "a"], dim=6)
