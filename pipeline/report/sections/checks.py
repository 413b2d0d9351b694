"""List every check of a bundle with its value, what was asked, and the evidence in words."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult
from pipeline.report.sentences import sentence
from pipeline.report.wording import MARK, OUTCOME_WORD, asked_for, measured, title


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return a row for each check."""
    return {
        "checks": [
            {
                "title": title(check),
                "outcome": str(check.outcome),
                "word": f"{MARK[check.outcome]} {OUTCOME_WORD[check.outcome]}",
                "measured": measured(check),
                "asked_for": asked_for(check),
                "gate": str(check.gate),
                "sentence": sentence(check),
            }
            for check in bundle.verdict.checks
        ]
    }
