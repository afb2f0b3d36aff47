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

FILES = [
    "sentence_transformer/evaluation/test_binary_classification_evaluator.py",
    "sentence_transformer/evaluation/test_information_retrieval_evaluator.py",
    "sentence_transformer/evaluation/test_triplet_evaluator.py",
    "sentence_transformer/losses/test_triplet.py",
    "util/test_hard_negatives.py",
    "util/test_quantization.py",
    "util/test_retrieval.py",
]


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
        self.rows.append((file, kind))
        if kind != "pass":
            self.reasons[kind, test.partition("[")[0], reason] += 1


def main(checkout: str) -> None:
    """Run the tests, and print what became of them."""
    tests, outcomes = Path(checkout) / "tests", Outcomes()
    sys.path.insert(0, str(Path(__file__).parent))
    options = ["-p", "translated", "--noconftest", "-q", "--no-header", "-p"]
    options += ["no:cacheprovider", "-c", "/dev/null", "--rootdir", str(tests)]
    options += ["--import-mode=importlib", "--tb=no", "-W", "ignore"]
    pytest.main([*options, *(str(tests / file) for file in FILES)], [outcomes])
    table = pd.DataFrame(outcomes.rows, columns=["file", "outcome"])
    rest = set((tests / "sentence_transformer").glob("[el][vo]*s*/test_*.py"))
    rest -= {tests / file for file in FILES}
    functions = [len(re.findall(r"^def test_", p.read_text(), re.M)) for p in rest]
    print(pd.crosstab(table["file"], table["outcome"], margins=True).to_string())
    print(
        f"not translated: {sum(functions)} functions of {len(rest)} further files on "
        "evaluators and losses, which are not here or work on modules of PyTorch"
    )
    for (kind, test, reason), count in sorted(outcomes.reasons.items()):
        print(f"{kind}: {test} ({count}): {reason}")


if __name__ == "__main__":
    main(*sys.argv[1:])
