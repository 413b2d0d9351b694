"""Offer `pipeline report`."""

from __future__ import annotations

from pipeline.cli.options import DEFAULT_RUN_DIR, ImagesOption, JsonOption, RunDirOption
from pipeline.cli.output import output


def report(
    images: ImagesOption = False,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Write the HTML report of a run, a page for each model.

    What is damaged or foreign is left out, and listed.
    """
    from pipeline.cli.verdict_files import report_lines, report_value
    from pipeline.contract.run import RunDir
    from pipeline.workflow.report import write_report

    run = RunDir(run_dir)
    with run.lock():
        written = write_report(run, images=images)
    output.conclude(report_value(written), written.problem, *report_lines(written))
