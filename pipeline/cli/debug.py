"""Offer `pipeline debug`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import DEFAULT_RUN_DIR, JsonOption, RunDirOption
from pipeline.cli.output import output

_SHOWN = 20


def debug(
    model: Annotated[Path, typer.Argument(help="An int8 bundle or .tflite file.", metavar="FILE")],
    images: Annotated[
        int, typer.Option(min=1, max=100_000, help="Training images to compare on.")
    ] = 32,
    all_layers: Annotated[
        bool, typer.Option("--all", help=f"Show every layer, not the weakest {_SHOWN}.")
    ] = False,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Show, layer by layer, why an int8 file quantizes well or badly.

    Every activation is compared with the float model's, with the whole int8 network before it;
    each layer is put in 8 bits alone, on up to 128 of the images; and the float model is compared
    with itself under noise. Two sentences say what hurts, and what would help.
    Writes a page with a plot under the run folder.
    """
    from pipeline.contract.run import RunDir
    from pipeline.report.debug_sentences import hurts_and_helps
    from pipeline.report.terminal import layer_table
    from pipeline.workflow.debug import debug_model

    run = RunDir(run_dir)
    with run.lock(), output.progress() as report:
        found, page = debug_model(run, model, images, report=report)
    output.result(
        {**found.model_dump(mode="json"), "page": str(page)},
        layer_table(
            found,
            len(found.layers) if all_layers else _SHOWN,
            width=output.console().width,
        ),
        *hurts_and_helps(found),
        f"page: {page}",
    )
