"""Offer `pipeline inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.output import output


def inspect(
    model: Annotated[Path, typer.Argument(help="A .tflite file or a bundle.", metavar="FILE")],
    json: JsonOption = False,
) -> None:
    """Show what is in a .tflite file.

    Tensors, quantization, metadata, operators with their versions, the oldest runtime that has
    them all.
    """
    from pipeline.contract.bundle import tflite_file
    from pipeline.report.terminal import inspection_tables
    from pipeline.tflite.inspect import inspect_file

    inspection = inspect_file(tflite_file(model))
    tables = inspection_tables(inspection, str(model))
    output.result(inspection.model_dump(mode="json"), *tables)
