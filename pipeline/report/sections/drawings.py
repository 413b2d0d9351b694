"""Draw a bundle's recall, its probabilities image by image, and its confusions."""

from __future__ import annotations

from typing import Any

from pipeline.report.plots import recall_bars, true_class_scatter
from pipeline.report.run_report import BundleResult
from pipeline.report.wording import joined


def context(bundle: BundleResult) -> dict[str, Any] | None:
    """Return the drawings and the confusion matrices of both sides."""
    figures, labels = bundle.figures, list(bundle.figures.recall)
    if not labels:
        return None
    scatter = None
    if bundle.points is not None:
        scatter = true_class_scatter(bundle.points, labels, figures.critical)
    colours = {"candidate": "other classes"}
    if figures.critical:
        colours = {"gated": joined(figures.critical), **colours}
    return {
        "bars": recall_bars(figures.recall),
        "scatter": scatter,
        "scatter_colours": colours,
        "labels": labels,
        "confusion": figures.confusion,
    }
