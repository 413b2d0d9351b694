"""Write the model card of a bundle from its manifest and its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pipeline.contract.bundle import CARD_FILE
from pipeline.contract.files import write_text_atomic
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.verdict import Verdict
from pipeline.parity.statistics import wilson_95
from pipeline.report.model_card import CardFigure, render_model_card
from pipeline.report.verdict_figures import figures_of


def write_model_card(
    folder: Path, manifest: BundleManifest, verdict: Verdict
) -> dict[str, FileEntry]:
    """Write the card to the bundle's folder and return its line of the manifest.

    Raises:
        BadInput: the verdict's figures have another form.
    """
    text = render_model_card(manifest, verdict, tuple(_figures(verdict)))
    write_text_atomic(folder / CARD_FILE, text)
    return {CARD_FILE: FileEntry.of(folder / CARD_FILE)}


def _figures(verdict: Verdict) -> Iterator[CardFigure]:
    facts = figures_of(verdict)
    labelled = sum(row.images for row in facts.recall.values())
    if facts.accuracy is not None:
        sides = facts.accuracy
        yield CardFigure(
            "accuracy",
            "Accuracy",
            labelled,
            sides.candidate.share,
            sides.candidate.wilson_95,
            sides.reference.share,
        )
    if facts.balanced_accuracy is not None and facts.balanced_accuracy.candidate is not None:
        balanced = facts.balanced_accuracy
        yield CardFigure(
            "balanced_accuracy",
            "Balanced accuracy",
            labelled,
            facts.balanced_accuracy.candidate,
            None,
            balanced.reference,
        )
    for label, row in facts.recall.items():
        if row.candidate is not None:
            yield CardFigure(
                "recall",
                f"Recall of {label}",
                row.images,
                row.candidate,
                wilson_95(round(row.candidate * row.images), row.images),
                row.reference,
            )
    if facts.top1_agreement is not None and facts.images is not None:
        yield CardFigure(
            "top1_agreement",
            "Top-1 agreement with Keras",
            facts.images,
            facts.top1_agreement.share,
            facts.top1_agreement.wilson_95,
            None,
        )
