"""Say in large words what became of each bundle, and what broke it."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.sentences import summary
from pipeline.report.wording import MARK, headline


def context(report: RunReport) -> dict[str, Any]:
    """Return a card for each bundle; no bundle is something to say too."""
    return {"cards": [_card(bundle) for bundle in report.bundles]}


def _card(bundle: BundleResult) -> dict[str, Any]:
    word, _, sentence = headline(bundle.verdict).partition(": ")
    return {
        "name": bundle.name,
        "outcome": str(bundle.verdict.outcome),
        "word": f"{MARK[bundle.verdict.outcome]} {word}",
        "sentence": f"{sentence[:1].upper()}{sentence[1:]}.",
        "broken": [summary(check) for check in bundle.verdict.broken()],
        "published": bundle.published,
        "rejected": bundle.rejected,
    }
