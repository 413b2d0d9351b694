"""List the checks of a bundle that passed, with value, what was asked, and evidence in words.

Those that did not pass stand open in the section `outcome`, in rows made here.
"""

from __future__ import annotations

from typing import Any

from pipeline.contract.verdict import Check, Outcome
from pipeline.report.run_report import BundleResult
from pipeline.report.sentences import sentence
from pipeline.report.wording import MARK, OUTCOME_WORD, asked_for, counted, measured, title


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return a row for each check that passed, and how many checks there are."""
    checks = bundle.verdict.checks
    passed = [check for check in checks if check.outcome is Outcome.passed]
    return {
        "nothing_checked": not checks,
        "summary": f"{counted(len(passed), 'check')} passed",
        "passed": [row(check) for check in passed],
    }


def row(check: Check) -> dict[str, str]:
    """Return what a table of checks shows of one."""
    return {
        "title": title(check),
        "outcome": str(check.outcome),
        "word": f"{MARK[check.outcome]} {OUTCOME_WORD[check.outcome]}",
        "measured": measured(check),
        "asked_for": asked_for(check),
        "gate": str(check.gate),
        "sentence": sentence(check),
    }
