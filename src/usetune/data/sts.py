"""The STS benchmark's sentence pairs, in eleven languages."""

import io
import warnings

import pandas as pd

from usetune.data import sources

_COLUMNS = ["sentence1", "sentence2", "score"]
_COMMIT = "30de0dec4ee199b7f42351d3f1a0b19592955385"
_URL = f"https://raw.githubusercontent.com/PhilipMay/stsb-multi-mt/{_COMMIT}/data/"
SPLITS = ("train", "dev", "test")
# SHA-256 of each language's files, in the order of SPLITS.
_SHA256 = {
    "de": (
        "7a393283b1ec86d9919452bd793db2938831169b29f1584660c3d20e2ee2a53e",
        "40ddf84ce3d2dfb957e11687edea30e5567c542219998f906ee552cfd3ef6769",
        "a92ce1015b201a342784ab7e34e024ceb0a0eeb479231fbadd05f756afb817fd",
    ),
    "en": (
        "e1e84fec60bbb598735552f54a35f4949904a484750fd2cb11e2720e49f63da6",
        "d29586e96558c4eb52cf5ea5d14e9c24d3bf0e44f111b017caba43a5adc33226",
        "11523b625219e94e9ca05d2816b5f02cac1614c5894fe657376fa0806378d053",
    ),
    "es": (
        "c0b1e809c1d5e51f95e90753656a371a5c92fff9f459ba01be20ce23f3ecc8b4",
        "7afece0711add2fb35bc65874bdf0fbbacbd5c784ebb3b926f4099f3989317d4",
        "2b6f60e63f19806436cdfd8fe314f91144f97e403d1d50f20ff9ffcb323d5b2f",
    ),
    "fr": (
        "29cece1d7e713cbc5c6940d4a0bbba7764da093e6d0b9da8fee26662b8af1d0a",
        "d9f0ed00811dc0d91663f195790bccc4627e0da3575e79e4e06ac777ec38039f",
        "f7da31a1d88557344afcb26430dc1c6cb85e76b564333de1a29f8008205b39b2",
    ),
    "it": (
        "2e6563f62debb6c9a1233dc411424083b8694c8fe0a6d85723c8ce1ec8cfd894",
        "ee64355376825a84ee6cc82b36d9f22b7f03a77d73ea97756cb7aaf85079552b",
        "e6f0be0552dd3c9e49ac794505086056b07f9cf2be68615e961107841a540248",
    ),
    "ja": (
        "5c25383359fcc2482414fd665f642aa4eaedc27ea1ab0a7e6c4075de8f61346f",
        "ae4a1da6a8df882ad1bf7a822456730188327c21e4ed0a3aec428e05cbaeb2f2",
        "5ab39526aa6fb3c275f46310d807956dd5c0721fcd0a2687545287bba739b589",
    ),
    "nl": (
        "4d60f75ec8e7a51c79f2fd7207747cf567bb16812f12f798031b119a14018f7c",
        "d2b2a895824d6bd60a28dbf9c22248df6e65603a389c08943255b7c2c694f8f2",
        "a0ee96b6ee9ed0181664e687f6b42f6273a87c885f34833a1e5a06368759cb35",
    ),
    "pl": (
        "87a9c4443badde50c56e5fe4e198ee6bfd35c01cc82c487a9a97921c2a2e8415",
        "0caa1ef060e886a41f6ae05bdead735089ed14e9715e63a47583ba2f13b4a17b",
        "abea78b1b3c4a39017da96d5074f4d61c1b825590bfb65e50d64216a7c68de59",
    ),
    "pt": (
        "8d769a45cf9435b840b3567dc8e327bee437a6a496eec0a1840d97262e032f60",
        "8f063a119e9e4cd8eaa6de42ff125984867c54bfbacef14fce493783bbe6b113",
        "9ba9018a1919efd24d243112ecbb3c448e2d361eebaa1c9aadf8988e3767e9be",
    ),
    "ru": (
        "9b2fa623b9a0fa827151a47f4713c5ebc56313c069ff47855e393d505951aa30",
        "8e4de0dcb2d87c1a2adc7bfdbe8ce4a7e0a1e10e3deba947e26069490ab66abd",
        "87a92ee27b26e724c4e4923d744d8198f9eef49698be7b514734118a755c4fce",
    ),
    "zh": (
        "6d44b5faa6c88e76f0c5f39fcd5963622c121b1d106f139a33b5b1df24c20ce2",
        "f24a3580938f840d82ee3d520de3af2be355b389850f21d0cc5c228ba3f6cdc9",
        "a583195cb30b9d99ae5fe1d03cd3e544c4c2a1c48d27713fb0686c7bae9fbb19",
    ),
}
LANGUAGES = tuple(_SHA256)


def load_sts(
    split: str = "dev", language: str = "en", parsing: str = "all"
) -> pd.DataFrame:
    """Read the STS benchmark.

    The files come from the folder that ``USETUNE_DATA`` names, the user's cache or a
    download, their SHA-256 checked. Where English is asked for and none of them can be
    had, the sample that this project ships is read instead, with a warning, and
    ``source`` says so.

    Args:
        split: "train" (5,749 pairs), "dev" (1,500) or "test" (1,379).
        language: de, en, es, fr, it, ja, nl, pl, pt, ru or zh.
        parsing: "all" keeps every row. "article" reads the rows as the article did,
            tab-separated with quote characters taken for CSV quoting, which loses the
            rows between two unbalanced quotes (60 of the 1,500 English dev rows).

    Returns:
        DataFrame with sentence1, sentence2 (str) and score (float in [0, 5]);
        ``attrs["source"]`` names the origin.

    Raises:
        ValueError: for an unknown split, language or parsing, or a wrong SHA-256.
        FileNotFoundError: if another language than English cannot be had.
    """
    for name, value, allowed in (
        ("split", split, SPLITS),
        ("language", language, LANGUAGES),
        ("parsing", parsing, ("all", "article")),
    ):
        if value not in allowed:
            raise ValueError(f"{name} must be one of {allowed}. Received: {value!r}")
    name = f"stsb-{language}-{split}.csv"
    sha256 = _SHA256[language][SPLITS.index(split)]
    path = sources.find(f"stsb/{name}", _URL + name, sha256)
    if path is not None:
        pairs = pd.read_csv(path, header=None, names=_COLUMNS, keep_default_na=False)
        source = f"STS benchmark, {language} {split}"
    elif language == "en":
        pairs = pd.read_csv(sources.shipped("sts_sample.csv"), keep_default_na=False)
        source = "sample shipped with usetune, NOT the STS benchmark"
        warnings.warn(f"{name} cannot be had; scoring the {source}", stacklevel=2)
    else:
        raise FileNotFoundError(
            f"{name} is neither in USETUNE_DATA nor in the cache, and {_URL} cannot be "
            "reached; the sample shipped is English only"
        )
    if parsing == "article":
        pairs, source = _parse_as_article(pairs), f"{source}, rows the article kept"
    pairs.attrs["source"] = source
    return pairs


def _parse_as_article(pairs: pd.DataFrame) -> pd.DataFrame:
    """The rows that survive pandas' default quoting of a file without quoting."""
    lines = (
        f"{row.score}\t{row.sentence1}\t{row.sentence2}\n" for row in pairs.itertuples()
    )
    kept = pd.read_table(
        io.StringIO("".join(lines)),
        names=["score", "sentence1", "sentence2"],
        on_bad_lines="skip",
        engine="python",
    )
    return kept.dropna(ignore_index=True)[_COLUMNS]
