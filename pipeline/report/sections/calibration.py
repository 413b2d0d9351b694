"""Show how the model's probabilities were calibrated: by what, and what that did on each split."""

from __future__ import annotations

from typing import Any

from pipeline.contract.calibration import Calibration, CalibrationFigures
from pipeline.report import run_report
from pipeline.report.calibration import CALIBRATION_COLUMNS, calibration_rows, calibration_words
from pipeline.report.plots import reliability_diagram
from pipeline.report.run_report import RunReport


def context(report: RunReport) -> dict[str, Any] | None:
    """Return the temperature, a table and a reliability diagram for each split."""
    found = _calibration(report)
    if found is None:
        return None
    return {
        "heading": "Calibration",
        "words": f"{calibration_words(found)}.",
        "columns": CALIBRATION_COLUMNS,
        "rows": calibration_rows(found),
        "figures": [
            {
                "split": split,
                "drawing": reliability_diagram(
                    run_report.Calibrations(_side(change.before), _side(change.after)),
                    "before",
                    "after",
                ),
            }
            for split, change in found.splits.items()
        ],
    }


def _calibration(report: RunReport) -> Calibration | None:
    """Return how the page's model was calibrated, as its manifest or that of a bundle says."""
    if report.model is not None and report.model.calibration is not None:
        return report.model.calibration
    of_bundles = (one.manifest.calibration for one in report.bundles if one.manifest is not None)
    return next((one for one in of_bundles if one is not None), None)


def _side(figures: CalibrationFigures) -> run_report.Calibration:
    return run_report.Calibration(figures.bins, figures.equal_mass)
