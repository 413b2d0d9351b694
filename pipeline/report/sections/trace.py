"""Show at which step, from Keras to each runtime, a bundle's answers changed."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import BundleResult
from pipeline.report.trace import LEGEND, columns, lost, rows, trace_bars


def context(bundle: BundleResult) -> dict[str, Any] | None:
    """Return the steps as a sentence, a drawing and a table; None where they were not traced."""
    trace = bundle.trace
    if trace is None:
        return None
    said = lost(trace)
    return {
        "lost": f"{said[0].upper()}{said[1:]}.",
        "images": trace.images,
        "bars": trace_bars(trace),
        "legend": LEGEND,
        "columns": columns(trace),
        "rows": rows(trace),
    }
