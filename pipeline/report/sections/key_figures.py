"""Show a bundle's notes and the few figures that a reader asks for first."""

from __future__ import annotations

from typing import Any

from pipeline.contract.bundle import MODEL_FILE
from pipeline.report.run_report import BundleResult
from pipeline.report.sentences import note
from pipeline.report.verdict_figures import Shares
from pipeline.report.wording import NOTHING, amount

_ARROW = " \N{RIGHTWARDS ARROW} "


def context(bundle: BundleResult) -> dict[str, Any]:
    """Return the notes, and tiles of a value and its name."""
    figures = bundle.figures
    tiles: list[tuple[str, str]] = []
    if accuracy := figures.accuracy:
        sides = Shares(reference=accuracy.reference.share, candidate=accuracy.candidate.share)
        tiles.append((_change(sides), "accuracy"))
    if figures.balanced_accuracy:
        tiles.append((_change(figures.balanced_accuracy), "balanced accuracy"))
    for label in figures.critical:
        recall = figures.recall[label]
        tiles.append((_change(recall), f"{label} recall, {recall.images} images"))
    if figures.top1_agreement:
        tiles.append((amount(figures.top1_agreement.share, "share"), "top-1 agreement"))
    if latency := figures.latency_ms:
        p50 = (amount(side.p50, "ms") for side in (latency.reference, latency.candidate))
        tiles.append((_ARROW.join(p50), "latency p50, this host"))
    if bundle.manifest is not None and MODEL_FILE in bundle.manifest.files:
        size_bytes = bundle.manifest.files[MODEL_FILE].size_bytes
        tiles.append((amount(size_bytes, "bytes"), "file size"))
    return {"notes": [note(data) for data in figures.notes], "tiles": tiles}


def _change(sides: Shares) -> str:
    shares = (sides.reference, sides.candidate)
    return _ARROW.join(NOTHING if s is None else f"{100 * s:.1f}%" for s in shares)
