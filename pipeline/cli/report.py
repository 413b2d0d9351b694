"""Offer `pipeline report`."""

from __future__ import annotations

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption
from pipeline.cli.output import output


def report(run_dir: RunDirOption = DEFAULT_RUN_DIR, json: JsonOption = False) -> None:
    """Write the HTML report of a run."""
    from pipeline.contract.run import RunDir
    from pipeline.workflow.report import write_report

    run = RunDir(run_dir)
    with run.lock():
        path = write_report(run)
    output.result({"report": str(path)}, f"report: {path}")
