import numpy as np
import pandas as pd
import pytest

from usetune import angular_similarity, cosine_similarity


def test_cosine_agrees_with_numpy():
    rng = np.random.default_rng(0)
    u, v = rng.normal(size=(2, 20, 512))
    expected = (u * v).sum(1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    np.testing.assert_allclose(cosine_similarity(u, v), expected, rtol=1e-12)
    # The length of the vectors does not matter, and all pairs come by broadcasting.
    np.testing.assert_allclose(cosine_similarity(7 * u, v / 3), expected, rtol=1e-12)
    pairs = cosine_similarity(u[:, None], v[None])
    assert pairs.shape == (20, 20)
    np.testing.assert_allclose(np.diag(pairs), expected, rtol=1e-12)


def test_cosine_of_a_zero_vector_is_zero():
    assert cosine_similarity(np.zeros(3), np.ones(3)).numpy() == 0


@pytest.mark.parametrize(
    ("cosine", "expected"),
    [(1.0, 1.0), (0.7, 0.7468166888933649), (0.0, 0.5), (-1.0, 0.0), (1.0000001, 1.0)],
)
def test_angular_similarity(cosine, expected):
    np.testing.assert_allclose(angular_similarity(np.float64(cosine)), expected, 1e-15)


def test_angular_similarity_of_other_numbers():
    similarity = angular_similarity(pd.Series([0, 1]))
    assert similarity.dtype == "float64" and similarity.numpy().tolist() == [0.5, 1]
    assert angular_similarity(0.0) == 0.5
