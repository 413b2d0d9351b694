"""Draw a bundle's recall, its probabilities image by image, its reliability, its confusions."""

from __future__ import annotations

from typing import Any

from pipeline.report.decision_plot import risk_coverage_curves
from pipeline.report.plots import recall_bars, reliability_diagram, true_class_scatter
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
    reliability, errors = None, ""
    if (found := bundle.calibrations) is not None:
        reliability = reliability_diagram(found)
        errors = (
            f"Expected calibration error: Keras {100 * found.reference.error:.1f}%, "
            f"file {100 * found.candidate.error:.1f}%."
        )
    return {
        "bars": recall_bars(figures.recall, bundle.recall_intervals),
        "intervals": bool(bundle.recall_intervals),
        "reliability": reliability,
        "calibration_errors": errors,
        "risk_coverage": risk_coverage_curves(bundle.risk_coverage, bundle.manifest),
        "scatter": scatter,
        "scatter_colours": colours,
        "labels": labels,
        "confusion": figures.confusion,
    }
