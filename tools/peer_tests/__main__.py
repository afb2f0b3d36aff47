"""Run sentence-transformers' own tests on this package: their expectations, our code.

    git clone https://github.com/huggingface/sentence-transformers
    python tools/peer_tests sentence-transformers

Nothing of theirs is in this repository. `translated.py` says which call stands for
which. The table counts the cases that pass, that are refused in other words than
theirs, that fail, and that have no counterpart here; the reasons follow.
"""

import re
import sys
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
import stand_ins

FILES = [
    "sentence_transformer/evaluation/test_binary_classification_evaluator.py",
    "sentence_transformer/evaluation/test_information_retrieval_evaluator.py",
    "sentence_transformer/evaluation/test_triplet_evaluator.py",
    "sentence_transformer/losses/test_cached_gist_embed.py",
    "sentence_transformer/losses/test_cached_mnsrl.py",
    "sentence_transformer/losses/test_cmnrl.py",
    "sentence_transformer/losses/test_contrastive.py",
    "sentence_transformer/losses/test_gist_embed.py",
    "sentence_transformer/losses/test_gradcache.py",
    "sentence_transformer/losses/test_matryoshka.py",
    "sentence_transformer/losses/test_mega_batch_margin.py",
    "sentence_transformer/losses/test_triplet.py",
    "util/test_hard_negatives.py",
    "util/test_quantization.py",
    "util/test_retrieval.py",
]

# Of evaluators and losses that are not here: no stand-in could be written for them.
ABSENT = {
    "evaluation/test_label_accuracy_evaluator.py": "skipped by its authors, too",
    "evaluation/test_nanobeir_evaluator.py": "data from a hub",
    "evaluation/test_paraphrase_mining_evaluator.py": "no such evaluator",
    "losses/test_adaptive_layer.py": "losses on each layer",
    "losses/test_denoising_auto_encoder.py": "a decoder",
    "losses/test_distill_kl_div.py": "distillation",
    "losses/test_embed_distill.py": "distillation",
    "losses/test_merged_forward.py": "how they batch columns",
}


# Cases that fail, and why that is right.
REFUSED = "a label of 0.25 is refused when the data are read, not warned of"
OUR_WAY = {
    "test_contrastive_loss_only_checks_the_first_batch": ("differs", REFUSED),
    "test_contrastive_loss_warns_once_for_non_binary_labels": ("differs", REFUSED),
    "test_online_contrastive_loss_warns_once_for_non_binary_labels": (
        "differs",
        REFUSED,
    ),
    "test_missing_negatives_message_names_range_max": (
        "differs",
        "nothing is printed: the counts of the table have what is missing",
    ),
    "test_model_dimension_not_in_dims_warns": (
        "other words",
        "the width that is not trained is warned of",
    ),
}


class Outcomes:
    """Collects what became of each case."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, str]] = []
        self.reasons: Counter[tuple[str, str, str]] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Called by pytest for each phase of a case."""
        if report.passed and report.when != "call":
            return
        file, _, test = report.nodeid.rpartition("/")[2].partition("::")
        kind, reason = "pass", ""
        if report.skipped:
            kind, reason = "no counterpart", report.longrepr[2].partition(": ")[2]
        elif report.failed:
            reason = report.longrepr.reprcrash.message.strip().replace("\n", " ")[:200]
            kind = "other words" if "Regex pattern did not" in reason else "fail"
            name = test.partition("[")[0]
            kind, reason = OUR_WAY.get(name, (kind, reason))
        self.rows.append((file, kind))
        if kind != "pass":
            self.reasons[kind, test.partition("[")[0], reason] += 1


def main(checkout: str) -> None:
    """Run the tests, and print what became of them."""
    tests, outcomes = Path(checkout) / "tests", Outcomes()
    stand_ins.TESTS = tests
    options = [
        "-p",
        "translated",
        "-p",
        "trained",
        "--noconftest",
        "-q",
        "--no-header",
        "-p",
    ]
    options += ["no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tests)]
    options += ["--import-mode=importlib", "--tb=no", "-W", "ignore"]
    pytest.main([*options, *(str(tests / file) for file in FILES)], [outcomes])
    table = pd.DataFrame(outcomes.rows, columns=["file", "outcome"])
    print(pd.crosstab(table["file"], table["outcome"], margins=True).to_string())
    for file, reason in ABSENT.items():
        source = (tests / "sentence_transformer" / file).read_text()
        functions = len(re.findall(r"^def test_", source, re.M))
        print(f"not translated: {file} ({functions} functions): {reason}")
    for (kind, test, reason), count in sorted(outcomes.reasons.items()):
        print(f"{kind}: {test} ({count}): {reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
