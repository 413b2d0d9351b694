"""Write the verdicts of a command as files for a CI, and show where its report is.

None of these may hide an outcome: what could not be written is returned, and shown after it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.contract.files import check_output_file

if TYPE_CHECKING:
    from pipeline.contract.verdict import Verdict
    from pipeline.errors import PipelineError
    from pipeline.workflow.report import ReportResult

# GitHub shows what a step appends to the file of this name on the page of the run.
_STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


def write_verdicts(
    verdicts: Mapping[str, Verdict], *, junit: Path | None, markdown: Path | None
) -> PipelineError | None:
    """Write JUnit XML and Markdown where asked, and Markdown where GitHub shows summaries.

    Returns:
        Why one of them could not be written, or None.
    """
    from pipeline.contract.files import write_text_atomic
    from pipeline.errors import EnvironmentProblem, reason_of
    from pipeline.report.junit import render_junit
    from pipeline.report.markdown import render_markdown

    writes: list[tuple[Path, Callable[[Path], None]]] = []
    if junit is not None:
        writes.append((junit, lambda path: write_text_atomic(path, render_junit(verdicts))))
    if markdown is not None:
        writes.append((markdown, lambda path: write_text_atomic(path, render_markdown(verdicts))))
    if summary := os.environ.get(_STEP_SUMMARY):
        writes.append((Path(summary), lambda path: _append(path, render_markdown(verdicts))))
    problem = None
    for path, write in writes:
        try:
            write(path)
        except OSError as error:
            problem = problem or EnvironmentProblem(
                "cannot write the verdict", where=str(path), got=reason_of(error)
            )
    return problem


def report_value(written: ReportResult) -> dict[str, Any]:
    """Return where a report is and what it leaves out, as JSON-ready values."""
    return {
        "report": None if written.problem else str(written.path),
        "other_reports": [] if written.problem else [str(path) for path in written.others],
        "unreadable": [
            {"where": one.where, "what": one.what, "got": one.got} for one in written.unreadable
        ],
    }


def report_lines(written: ReportResult) -> list[str]:
    """Return where a report is and what it leaves out, line by line."""
    lines = [f"left out of the report: {one.where}: {one.what}" for one in written.unreadable]
    if written.problem is None:
        lines.append(f"report: {written.path}")
        lines += [f"report of another model: {path}" for path in written.others]
    else:
        lines.append(f"the report is NOT written: {written.problem.got}")
    return lines


def _append(path: Path, text: str) -> None:
    check_output_file(path)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(text)
