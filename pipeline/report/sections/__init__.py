"""Name the sections of the run report, in the order of the page.

A section is one file here with a function that returns what its template shows, or None where
it has nothing to show, one template of the same name, and one line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from pipeline.report.run_report import BundleResult, RunReport
from pipeline.report.sections import (
    checks,
    comparison,
    dataset,
    drawings,
    file,
    key_figures,
    reproduction,
    search,
    trace,
    training,
    unreadable,
    verdicts,
)

Context: TypeAlias = Mapping[str, Any]

BEFORE_BUNDLES: Mapping[str, Callable[[RunReport], Context | None]] = {
    "verdicts": verdicts.context,
    "unreadable": unreadable.context,
}
OF_BUNDLE: Mapping[str, Callable[[BundleResult], Context | None]] = {
    "key_figures": key_figures.context,
    "checks": checks.context,
    "drawings": drawings.context,
    "comparison": comparison.context,
    "search": search.context,
    "trace": trace.context,
    "file": file.context,
}
AFTER_BUNDLES: Mapping[str, Callable[[RunReport], Context | None]] = {
    "training": training.context,
    "dataset": dataset.context,
    "reproduction": reproduction.context,
}
