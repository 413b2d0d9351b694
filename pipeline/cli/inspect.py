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
    from rich.table import Table

    from pipeline.contract.bundle import tflite_file
    from pipeline.tflite.inspect import inspect_file

    inspection = inspect_file(tflite_file(model))
    facts = Table("fact", "value", title=str(model), show_header=False)
    for name, value in inspection.facts():
        facts.add_row(name, value)
    operators = Table("operator", "version", "count", "since runtime", title="Operators")
    for operator in inspection.operators:
        operators.add_row(
            operator.name, str(operator.version), str(operator.count), operator.since or "unknown"
        )
    output.result(inspection.model_dump(mode="json"), facts, operators)
