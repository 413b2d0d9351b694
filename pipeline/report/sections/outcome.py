"""Say what became of a bundle, where it is, what it is to be read by, and what broke it."""

from __future__ import annotations

from typing import Any

from pipeline.report.decision_words import stated_facts
from pipeline.report.run_report import BundleResult
from pipeline.report.sections.checks import row
from pipeline.report.sentences import note
from pipeline.report.wording import MARK, headline


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return the verdict in a sentence, the notes, and a row for each check that did not pass."""
    verdict, manifest = bundle.verdict, bundle.manifest
    word, _, sentence = headline(verdict).partition(": ")
    int8 = manifest is not None and manifest.recipe.name.startswith("int8")
    return {
        "outcome": str(verdict.outcome),
        "word": f"{MARK[verdict.outcome]} {word}",
        "sentence": f"{sentence[:1].upper()}{sentence[1:]}.",
        "published": bundle.published,
        "rejected": bundle.rejected,
        "debug_page": bundle.debug_page,
        "no_debug_page": int8 and bundle.debug_page is None,
        "notes": [note(data) for data in bundle.figures.notes],
        "decision": [] if manifest is None else stated_facts(manifest.decision, manifest.chosen),
        "broken": [row(check) for check in verdict.broken()],
    }
