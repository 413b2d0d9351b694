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
    them all. Of a bundle, also its thresholds and its unsure band.
    """
    from pipeline.contract.bundle import MODEL_FILE, load_bundle
    from pipeline.report.terminal import inspection_tables
    from pipeline.tflite.inspect import inspect_file

    manifest = load_bundle(model) if model.is_dir() else None
    inspection = inspect_file(model if manifest is None else model / MODEL_FILE)
    value = inspection.model_dump(mode="json")
    if manifest is not None:
        value["decision"] = manifest.decision.model_dump(mode="json")
        for name in ("chosen", "calibration"):
            found = getattr(manifest, name)
            value[name] = None if found is None else found.model_dump(mode="json")
    output.result(value, *inspection_tables(inspection, str(model), manifest))
