import re

import numpy as np
import pytest

from usetune.search.binary import nearest_binary
from usetune.search.exact import nearest
from usetune.search.quantization import QuantizedCorpus, Quantizer


def unit(rows):
    rows = np.asarray(rows, dtype=float)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype("float32")


def random_units(count, dim, seed=0):
    """Dimensions of different means and widths, as those of encoders are."""
    generator = np.random.default_rng(seed)
    widths, means = np.linspace(0.5, 2, dim), np.linspace(-0.3, 0.5, dim)
    return unit(generator.normal(size=(count, dim)) * widths + means)


def bits_of(quantizer, rows):
    """One bit after the other, by the definition."""
    return [
        [int(x > t) for x, t in zip(row, quantizer.threshold, strict=True)]
        for row in rows
    ]


def test_int8_levels():
    calibration = random_units(300, 12)
    quantizer = Quantizer("int8").fit(calibration)
    codes = quantizer.quantize(calibration)
    assert codes.dtype == np.int8 and codes.shape == (300, 12)
    assert quantizer.bytes_per_embedding == 12
    # The lowest and the highest number of each dimension have the outermost codes.
    dimensions = np.arange(12)
    assert (codes[calibration.argmin(0), dimensions] == -128).all()
    assert (codes[calibration.argmax(0), dimensions] == 127).all()
    # Each number has the code of the nearest level, which `dequantize` gives back.
    step = (calibration.max(0) - calibration.min(0)) / 255
    levels = calibration.min(0) + (codes.astype(float) + 128) * step
    assert (np.abs(levels - calibration) <= 0.5001 * step).all()
    np.testing.assert_allclose(quantizer.dequantize(codes), unit(levels), atol=1e-6)


@pytest.mark.parametrize("dim", [1, 7, 8, 9, 64, 67])
def test_bits(dim):
    calibration, others = random_units(101, dim), random_units(40, dim, seed=1)
    quantizer = Quantizer("binary").fit(calibration)
    codes = quantizer.quantize(others)
    assert codes.dtype == np.uint8
    assert codes.shape == (40, quantizer.bytes_per_embedding) == (40, -(-dim // 8))
    unpacked = np.unpackbits(codes, axis=1)
    assert unpacked[:, :dim].tolist() == bits_of(quantizer, others)
    assert not unpacked[:, dim:].any()
    np.testing.assert_array_equal(quantizer.threshold, np.median(calibration, axis=0))
    # Of 101 numbers, 50 are above the median, where none are equal to it.
    if dim > 1:
        counts = np.unpackbits(quantizer.quantize(calibration), axis=1).sum(0)
        assert (counts[:dim] == 50).all()


def test_a_bit_stands_for_the_mean_of_its_side():
    calibration = random_units(501, 5)
    quantizer = Quantizer("binary").fit(calibration)
    bits = np.array(bits_of(quantizer, calibration))
    levels = np.empty((501, 5))
    for dimension in range(5):
        for bit in (0, 1):
            own = bits[:, dimension] == bit
            levels[own, dimension] = calibration[own, dimension].mean()
    decoded = quantizer.dequantize(quantizer.quantize(calibration))
    np.testing.assert_allclose(decoded, unit(levels), atol=1e-6)
    assert decoded.dtype == np.float32


def test_no_number_above_the_median():
    calibration = unit([[1, 0.5], [1, 2], [1, 2]])
    quantizer = Quantizer("binary").fit(calibration)
    assert quantizer.high[1] == quantizer.threshold[1] == calibration[1, 1]
    assert quantizer.low[1] == pytest.approx(calibration[:, 1].mean())


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_decoded_embeddings(precision):
    calibration = random_units(400, 24)
    quantizer = Quantizer(precision).fit(calibration)
    codes = quantizer.quantize(calibration)
    decoded = quantizer.dequantize(codes)
    np.testing.assert_allclose(np.linalg.norm(decoded, axis=1), 1, atol=1e-6)
    # Rows depend on nothing but themselves.
    np.testing.assert_array_equal(quantizer.quantize(calibration[7:9]), codes[7:9])
    np.testing.assert_array_equal(quantizer.dequantize(codes[7:9]), decoded[7:9])
    assert quantizer.quantize(calibration[:0]).shape == (0, codes.shape[1])
    cosines = np.sum(decoded * calibration, axis=1)
    assert cosines.min() > {"int8": 0.999, "binary": 0.4}[precision]


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_dimensions_without_spread(precision):
    calibration = unit([[0.6, 0, x] for x in (-0.9, -0.8, 0.7, 0.8)])
    calibration[:, 0] = 0.5
    calibration = np.delete(calibration, 1, axis=1)
    calibration[:, 1] = np.sqrt(0.75) * np.array([-1, -1, 1, 1])
    quantizer = Quantizer(precision).fit(calibration)
    decoded = quantizer.dequantize(quantizer.quantize(calibration))
    np.testing.assert_allclose(decoded, calibration, atol=0.005)


def test_one_row_is_enough_to_stand_for_itself():
    for precision in ("int8", "binary"):
        row = random_units(1, 9)
        with pytest.warns(UserWarning, match="^each of the 1 rows .* is the same"):
            quantizer = Quantizer(precision).fit(row)
        decoded = quantizer.dequantize(quantizer.quantize(row))
        np.testing.assert_allclose(decoded, row, atol=1e-6)


def test_a_code_of_zeros_stays_zero():
    quantizer = Quantizer("binary").fit(unit(np.eye(4)))
    assert (quantizer.dequantize(np.zeros((1, 1), np.uint8)) == 0).all()


def test_clipping():
    calibration = unit([[1, 0.1], [1, -0.1], [1, 0.05]])
    quantizer = Quantizer("int8").fit(calibration)
    with pytest.warns(UserWarning, match="^4 of 4 numbers lie outside"):
        codes = quantizer.quantize(unit([[0, 1], [0, -1]]))
    assert codes.tolist() == [[-128, 127], [-128, -128]]
    # Two numbers of 200 are not worth a warning, and clipped all the same.
    rows = np.repeat(calibration[2:], 100, axis=0)
    rows[0] = unit([[1, 0.2]])[0]
    assert quantizer.quantize(rows)[0].tolist() == [-128, 127]


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_file(tmp_path, precision):
    rows = random_units(50, 13)
    quantizer = Quantizer(precision).fit(rows)
    path = tmp_path / "corpus.quantizer"
    quantizer.save(path)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    loaded = Quantizer.load(path)
    assert loaded.precision == precision and loaded.dim == 13
    np.testing.assert_array_equal(loaded.quantize(rows), quantizer.quantize(rows))
    codes = quantizer.quantize(rows)
    np.testing.assert_array_equal(loaded.dequantize(codes), quantizer.dequantize(codes))


@pytest.mark.parametrize("content", ["text", "empty", "array", "other", "newer", "cut"])
def test_other_files(tmp_path, content):
    path = tmp_path / "file"
    with open(path, "wb") as file:
        if content == "text":
            file.write(b"no quantizer")
        if content == "array":
            np.save(file, np.ones(3))
        if content == "other":
            np.savez(file, precision="int8")
        if content == "newer":
            row = np.ones(4, np.float32)
            np.savez(file, precision="int4", low=row, high=row, threshold=row)
    if content == "cut":
        Quantizer("int8").fit(random_units(5, 4)).save(path)
        path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(
        ValueError, match=f"{re.escape(str(path))}(: precision must| is damaged)"
    ):
        Quantizer.load(path)
    with pytest.raises(FileNotFoundError):
        Quantizer.load(tmp_path / "none")


ROWS = random_units(4, 3)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (ROWS[:0], r"must have a row.*\(0, 3\)"),
        (ROWS[0], r"array \(n, dim\).*\(3,\)"),
        (ROWS * np.array([[1], [np.nan], [1], [1]]), "finite.*length nan in row 1"),
        (ROWS * np.array([[1], [1], [np.inf], [2]]), "row 2, and 1 more"),
        (ROWS * 1.02, "unit length.*length 1.02 in row 0, and 3 more"),
    ],
)
def test_faulty_calibration(rows, message):
    with pytest.raises(ValueError, match=message):
        Quantizer("int8").fit(rows)


def test_faults():
    with pytest.raises(ValueError, match="'int8', 'binary'.*Received: 'int4'"):
        Quantizer("int4").fit(ROWS)
    for precision, codes in (("int8", "int8"), ("binary", "uint8")):
        quantizer = Quantizer(precision).fit(ROWS)
        with pytest.raises(ValueError, match=r"\(n, 3\). Received: shape \(2, 4\)"):
            quantizer.quantize(random_units(2, 4))
        with pytest.raises(ValueError, match="length nan in row 0"):
            quantizer.quantize(np.full((1, 3), np.nan))
        with pytest.raises(ValueError, match=rf"codes must be {codes}.*\(2, 5\)"):
            quantizer.dequantize(np.zeros((2, 5), codes))
        with pytest.raises(ValueError, match=f"codes must be {codes}.*int16"):
            quantizer.dequantize(np.zeros((2, quantizer.bytes_per_embedding), "int16"))


@pytest.mark.parametrize("precision", ["int8", "binary"])
def test_search_in_codes_is_search_in_what_they_stand_for(precision):
    embeddings, queries = random_units(500, 20), random_units(30, 20, seed=1)
    quantizer = Quantizer(precision).fit(embeddings)
    corpus = QuantizedCorpus(quantizer, quantizer.quantize(embeddings))
    assert len(corpus) == 500
    decoded = quantizer.dequantize(corpus.codes)
    rows, scores = nearest(queries, corpus, 7, chunk_size=64)
    expected_rows, expected_scores = nearest(queries, decoded, 7)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_array_equal(scores, expected_scores)


def by_hand(quantizer, queries, embeddings, depth):
    """Rows by (different bits, row), bit by bit."""
    queries = np.array(bits_of(quantizer, queries))
    documents = np.array(bits_of(quantizer, embeddings))
    distances = [[int((q != d).sum()) for d in documents] for q in queries]
    order = [sorted(range(len(row)), key=lambda i: (row[i], i)) for row in distances]
    rows = np.array([row[:depth] for row in order])
    return rows, np.take_along_axis(np.array(distances), rows, axis=1)


@pytest.mark.parametrize("chunk", [1, 7, 4096])
@pytest.mark.parametrize("dim", [6, 64, 75])
def test_bits_in_common(monkeypatch, dim, chunk):
    """With 6 dimensions nearly all distances are equal to others."""
    monkeypatch.setattr("usetune.search.binary._CHUNK", chunk)
    embeddings, queries = random_units(200, dim), random_units(11, dim, seed=1)
    quantizer = Quantizer("binary").fit(embeddings)
    corpus = QuantizedCorpus(quantizer, quantizer.quantize(embeddings))
    rows, scores = nearest_binary(queries, corpus, 12)
    expected, distances = by_hand(quantizer, queries, embeddings, 12)
    assert rows.dtype == np.int64 and scores.dtype == np.float32
    np.testing.assert_array_equal(rows, expected)
    np.testing.assert_array_equal(scores, dim - distances)
    assert sorted(nearest_binary(queries, corpus, 200)[0][0]) == list(range(200))


@pytest.mark.parametrize("other", [False, True])
def test_rescoring(other):
    embeddings, queries = random_units(300, 24), random_units(9, 24, seed=1)
    # Equal documents: the earlier row comes first.
    embeddings[200:250] = embeddings[100:150]
    quantizer = Quantizer("binary").fit(embeddings)
    corpus = QuantizedCorpus(quantizer, quantizer.quantize(embeddings))
    full = Quantizer("int8").fit(embeddings)
    others = QuantizedCorpus(full, full.quantize(embeddings)) if other else None
    rows, scores = nearest_binary(queries, corpus, 5, 3, others)
    candidates, _ = by_hand(quantizer, queries, embeddings, 15)
    values = (others or corpus)[:].astype(float)
    for query, own, found, score in zip(queries, candidates, rows, scores, strict=True):
        products = {row: np.float32(values[row] @ query.astype(float)) for row in own}
        expected = sorted(own, key=lambda row: (-products[row], row))[:5]
        assert found.tolist() == expected
        np.testing.assert_allclose(score, [products[row] for row in expected])
    assert scores.dtype == np.float32
    # With every document a candidate it is the search in all of them.
    rows, scores = nearest_binary(queries, corpus, 5, 1000, others)
    expected_rows, expected_scores = nearest(queries, others or corpus, 5)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected_scores, atol=1e-7)


def test_equal_scores_after_rescoring():
    """Candidates that the bits tell apart, and the embeddings do not."""
    embeddings, queries = random_units(100, 24), random_units(5, 24, seed=1)
    quantizer = Quantizer("binary").fit(embeddings)
    corpus = QuantizedCorpus(quantizer, quantizer.quantize(embeddings))
    equal = np.repeat(embeddings[:1], 100, axis=0)
    rows, _ = nearest_binary(queries, corpus, 4, 3, equal)
    candidates, _ = nearest_binary(queries, corpus, 12)
    np.testing.assert_array_equal(rows, np.sort(candidates, axis=1)[:, :4])


def test_codes_on_disk(tmp_path):
    embeddings = random_units(100, 16)
    quantizer = Quantizer("binary").fit(embeddings)
    codes = quantizer.quantize(embeddings)
    np.save(tmp_path / "codes.npy", codes)
    mapped = np.load(tmp_path / "codes.npy", mmap_mode="r")
    results = [
        nearest_binary(embeddings, QuantizedCorpus(quantizer, stored), 3, rescore=2)
        for stored in (codes, mapped)
    ]
    np.testing.assert_array_equal(results[0], results[1])


def test_search_faults():
    embeddings = random_units(20, 8)
    int8, binary = (Quantizer(name).fit(embeddings) for name in ("int8", "binary"))
    corpus = QuantizedCorpus(binary, binary.quantize(embeddings))
    wrong = QuantizedCorpus(int8, int8.quantize(embeddings))
    with pytest.raises(ValueError, match="binary precision. Received: 'int8'"):
        nearest_binary(embeddings, wrong, 1)
    for count in (0, 21):
        with pytest.raises(ValueError, match=f"between 1 and 20.*Received: {count}"):
            nearest_binary(embeddings, corpus, count)
    with pytest.raises(ValueError, match="rescore must be at least 0. Received: -1"):
        nearest_binary(embeddings, corpus, 1, rescore=-1)
    for values in (embeddings[:19], embeddings[:, :7]):
        with pytest.raises(ValueError, match=r"shape \(20, 8\).*Received: \(") as error:
            nearest_binary(embeddings, corpus, 1, 2, values)
        assert str(values.shape) in str(error.value)
    with pytest.raises(ValueError, match=r"\(n, 8\)"):
        nearest_binary(embeddings[:, :7], corpus, 1)


def test_a_quantizer_must_be_calibrated(tmp_path):
    for use in (
        lambda quantizer: quantizer.quantize(ROWS),
        lambda quantizer: quantizer.save(tmp_path / "q.npz"),
    ):
        with pytest.raises(
            ValueError, match=r"not calibrated: Quantizer\('int8'\).fit"
        ):
            use(Quantizer("int8"))
    assert not (tmp_path / "q.npz").exists()
