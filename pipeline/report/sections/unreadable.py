"""List what of the run could not be read, and so is not in the report."""

from __future__ import annotations

from typing import Any

from pipeline.report.run_report import RunReport
from pipeline.report.wording import NOTHING


def context(report: RunReport) -> dict[str, Any] | None:
    """Return a row for each thing that is left out, None where everything could be read."""
    if not report.unreadable:
        return None
    return {
        "heading": "Not in this report",
        "rows": [(one.where, one.what, one.got or NOTHING) for one in report.unreadable],
    }
