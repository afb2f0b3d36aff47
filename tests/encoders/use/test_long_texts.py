"""Long texts are computed in parts, and are what they are as a whole."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from usetune.encoders.use import long_texts

WORDS = (
    "pastry cook naïve café Пекарь 看護師 12.5 % (data) scientist Straßenbahnfahrer "
    "ingénieur\tlogiciel\ninfermiere\r\n  👩🏽‍🔬 𓀀𓀁 nurse’s \u3000aide "
).split(" ")
MEMORY = """
import sys
from pathlib import Path
from usetune import load_encoder

def megabytes(name):
    status = Path("/proc/self/status").read_text()
    return int(status.split(name)[1].split()[0]) / 1024

encoder = load_encoder()
encoder.encode("warm " * 5000)
Path("/proc/self/clear_refs").write_text("5")  # forget the peak
before = megabytes("VmRSS:")
encoder.encode("a text of many words " * 8000)
print(megabytes("VmHWM:") - before)
"""


def text_of(words):
    return " ".join(np.random.default_rng(0).choice(WORDS, words))


def whole(encoder, text):
    return encoder(tf.constant([text]))[0].numpy()


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 5, 31, 100, 4096])
def test_parts_give_what_the_whole_gives(base, monkeypatch, tokens):
    """Of whatever size they are, and whatever is left for the last one."""
    monkeypatch.setattr(long_texts, "_PART", tokens)
    for words in (1, 7, 8, 9, 40) if tokens < 100 else (3000,):
        text = text_of(words)
        found = base._embed_long(text.encode())
        np.testing.assert_allclose(found, whole(base, text), atol=1e-6)


def test_encode_computes_long_texts_in_parts(base):
    long = text_of(9000)
    assert len(long.encode()) > 65_536
    texts = [long, "short", long + " end"]
    found = base.encode(texts)
    for text, embedding in zip(texts, found, strict=True):
        np.testing.assert_allclose(embedding, whole(base, text), atol=1e-5)
    cut = base.truncate(9).encode(long)
    np.testing.assert_allclose(
        cut, found[0, :9] / np.linalg.norm(found[0, :9]), atol=1e-6
    )
    small = base.compact(["short", long])
    np.testing.assert_allclose(small.encode(long), found[0], atol=1e-6)
    with pytest.raises(tf.errors.InvalidArgumentError, match="not told of.*zebra"):
        small.encode("zebra " + long)


@pytest.mark.parametrize("size", [1, 2, 7, 30, 1000])
def test_pieces_have_the_tokens_of_the_whole(base, monkeypatch, size):
    pattern = long_texts._PIECE.pattern.replace(b"65536", b"%d" % size)
    monkeypatch.setattr(long_texts, "_PIECE", re.compile(pattern, re.DOTALL))
    for text in (" ", "\n", "word", " two  words\n", text_of(400), text_of(900)):
        whole = base.tokenizer.tokenize([text]).values.numpy()
        found = long_texts.tokenize_long(base.tokenizer, text.encode())
        np.testing.assert_array_equal(found, whole)


def test_memory_of_a_long_text():
    """Of 40,000 words, which take 700 MB as a whole."""
    if not Path("/proc/self/clear_refs").exists():
        pytest.skip("only Linux can forget a peak of memory")
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], capture_output=True, text=True, check=True
    )
    assert float(done.stdout) < 200
