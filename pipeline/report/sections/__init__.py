"""Name the sections of the run report, in the order of the page.

A section is one file here with a function that returns what its template shows, or None where
it has nothing to show, one template of the same name, and one line below. A section before or
after the bundles that returns a `heading` is in the navigation: its template gives the element
of that heading the section's name as its id.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.sections import (
    calibration,
    checks,
    comparison,
    dataset,
    drawings,
    file,
    flips,
    outcome,
    reproduction,
    search,
    side_by_side,
    trace,
    training,
    unreadable,
)

Context: TypeAlias = Mapping[str, Any]

BEFORE_BUNDLES: Mapping[str, Callable[[RunReport], Context | None]] = {
    "side_by_side": side_by_side.context,
    "unreadable": unreadable.context,
}
OF_BUNDLE: Mapping[str, Callable[[BundleResult], Context | None]] = {
    "outcome": outcome.context,
    "drawings": drawings.context,
    "flips": flips.context,
    "search": search.context,
    "trace": trace.context,
    "checks": checks.context,
    "comparison": comparison.context,
    "file": file.context,
}
AFTER_BUNDLES: Mapping[str, Callable[[RunReport], Context | None]] = {
    "training": training.context,
    "calibration": calibration.context,
    "dataset": dataset.context,
    "reproduction": reproduction.context,
}
