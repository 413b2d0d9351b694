"""Offer `pipeline record`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption, ThreadsOption
from pipeline.cli.output import output
from pipeline.contract.choices import RuntimeName, Split


def record(
    model: Annotated[
        Path | None, typer.Argument(help="A .keras or .tflite file or a bundle.")
    ] = None,
    runtime: Annotated[
        RuntimeName, typer.Option(help="Which runtime answers.")
    ] = RuntimeName.litert,
    split: Annotated[Split, typer.Option(help="Which images.")] = Split.validation,
    threads: ThreadsOption = 1,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Record what a runtime answers on one split.

    Everything about a .tflite (size, normalization, labels) is read from the file itself.
    """
    from pipeline.contract.run import RunDir
    from pipeline.runtimes.registry import describe
    from pipeline.workflow.record import record_model

    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        recorded = record_model(run, runtime, model, split, threads=threads, report=report)
    facts = recorded.recording.facts
    timed = [
        f"p50 {facts.latency_ms_p50:.1f} ms" if facts.latency_ms_p50 is not None else "",
        f"p90 {facts.latency_ms_p90:.1f} ms" if facts.latency_ms_p90 is not None else "",
    ]
    output.result(
        {"recording": str(recorded.path), "facts": facts.model_dump(mode="json")},
        f"{facts.count} images answered by {describe(runtime).title} {facts.runtime_version}; "
        f"one inference: {', '.join(filter(None, timed)) or 'not timed'}",
        f"recording: {recorded.path}",
    )
