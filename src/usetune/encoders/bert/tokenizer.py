"""BERT's tokenizer in the graph."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
import tensorflow_text as tf_text

# One character for each special token, of those that Unicode keeps out of texts, so
# that normalisation and splitting leave special tokens in a text whole.
SPECIAL = {
    "[PAD]": "\ufdd0",
    "[UNK]": "\ufdd1",
    "[CLS]": "\ufdd2",
    "[SEP]": "\ufdd3",
    "[MASK]": "\ufdd4",
}
_CHARACTERS_PER_WORD = 100
_PUNCTUATION = r"!-/:-@\[-`{-~\p{P}"
_CHINESE = (
    r"\x{4E00}-\x{9FFF}\x{3400}-\x{4DBF}\x{20000}-\x{2A6DF}\x{2A700}-\x{2B73F}"
    r"\x{2B740}-\x{2B81F}\x{2B920}-\x{2CEAF}\x{F900}-\x{FAFF}\x{2F800}-\x{2FA1F}"
)


class WordPieceTokenizer:
    """BERT's tokenizer in the graph: Devlin et al. (2019), section 3.

    Agrees with Hugging Face's ``tokenizers`` but for some 570 characters that its
    older tables of Unicode class otherwise.

    Args:
        vocabulary: the pieces, by token id.
        lowercase: lower-case texts.
        strip_accents: decompose characters and drop their marks.
        split_chinese: each Chinese character is a word.

    Raises:
        ValueError: if a special token is not in the vocabulary.
    """

    def __init__(
        self,
        vocabulary: Sequence[str],
        lowercase: bool,
        strip_accents: bool,
        split_chinese: bool,
    ) -> None:
        self.vocabulary = list(vocabulary)
        self.lowercase = lowercase
        self.strip_accents = strip_accents
        self.split_chinese = split_chinese
        self.id_of = {piece: number for number, piece in enumerate(vocabulary)}
        missing = [token for token in SPECIAL if token not in self.id_of]
        if missing:
            raise ValueError(f"the vocabulary lacks {missing}")
        self._wordpiece = tf_text.FastWordpieceTokenizer(
            # Of equal pieces the last counts. No word has a line break in it.
            [
                SPECIAL.get(piece, piece)
                if self.id_of[piece] == number
                else f"\n{number}"
                for number, piece in enumerate(vocabulary)
            ],
            unknown_token=SPECIAL["[UNK]"],
            token_out_type=tf.int32,
            max_bytes_per_word=4 * _CHARACTERS_PER_WORD,
            no_pretokenization=True,
        )

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {
            "vocabulary": self.vocabulary,
            "lowercase": self.lowercase,
            "strip_accents": self.strip_accents,
            "split_chinese": self.split_chinese,
        }

    def __call__(self, texts: tf.Tensor) -> tf.RaggedTensor:
        """String tensor (batch,) → int32 token ids (batch, None), no [CLS], [SEP]."""
        words = tf.strings.split(self._spaced(texts))
        too_long = tf.strings.length(words.values, "UTF8_CHAR") > _CHARACTERS_PER_WORD
        words = words.with_values(tf.where(too_long, SPECIAL["[UNK]"], words.values))
        return self._wordpiece.tokenize(words).merge_dims(1, 2)

    def _spaced(self, texts: tf.Tensor) -> tf.Tensor:
        """Normalise texts, and put spaces between their words."""
        replace = tf.strings.regex_replace
        special = "".join(SPECIAL.values())
        texts = replace(texts, f"[{special}]", "")
        for token, character in SPECIAL.items():
            texts = replace(texts, rf"\[{token[1:-1]}\]", character)
        texts = replace(texts, r"[\t\n\r\p{Z}]", " ")
        texts = replace(texts, r"[\p{C}\x{FFFD}]", "")
        if self.strip_accents:
            texts = replace(tf_text.normalize_utf8(texts, "NFD"), r"\p{Mn}", "")
        if self.lowercase:
            # Σ is σ at the end of a word, too, and ASCII goes first, as the next
            # step would make a Turkish ı of I where that is the system's language.
            texts = tf.strings.lower(replace(texts, "Σ", "σ"))
            texts = tf.strings.lower(texts, encoding="utf-8")
        chinese = _CHINESE if self.split_chinese else ""
        return replace(texts, f"[{_PUNCTUATION}{chinese}{special}]", r" \0 ")
