"""Offer `pipeline trace`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption
from pipeline.cli.output import output


def trace(
    bundle: Annotated[Path, typer.Argument(help="A bundle folder.", metavar="BUNDLE")],
    keras: Annotated[
        Path | None,
        typer.Option(
            "--model", metavar="FILE", help="The Keras model of the bundle; the run's by default."
        ),
    ] = None,
    recording: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="A recording of the bundle's file from elsewhere, as a phone's; may be repeated.",
        ),
    ] = None,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Show at which step, from Keras to each runtime, the answers changed.

    The steps: Keras, the float32 file, the recipe with float input and output, the input and output
    type, and each other runtime that recorded the bundle. What was recorded before is found again.
    """
    from pipeline.contract.run import RunDir
    from pipeline.report.trace import lost, trace_table
    from pipeline.workflow.trace import trace_bundle

    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        found, path = trace_bundle(
            run, bundle, keras=keras, recordings=tuple(recording or ()), report=report
        )
    output.result(
        {**found.model_dump(mode="json"), "lost_at": found.lost_at, "file": str(path)},
        trace_table(found),
        lost(found),
        f"in the report: `pipeline report --run-dir {run_dir}`",
    )
