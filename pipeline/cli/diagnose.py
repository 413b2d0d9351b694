"""Offer `pipeline diagnose`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.output import output


def diagnose(
    reference: Annotated[
        Path,
        typer.Option(help="The bundle, or .tflite file, that should have answered."),
    ],
    candidate: Annotated[
        Path,
        typer.Option(help="The recording (JSON) that disagrees, a phone's too."),
    ],
    data: Annotated[Path, typer.Option(help="A folder with the recorded images, by any names.")],
    images: Annotated[
        int, typer.Option(min=1, max=100_000, help="Use at most so many of the images.")
    ] = 200,
    json: JsonOption = False,
) -> None:
    """Name the mistake of a runtime that disagrees with a bundle.

    Each known mistake (BGR, wrong range, other resizing, EXIF ignored, labels shifted and so on) is
    made on purpose and compared with what the runtime answered. Exit code 0: no disagreement; 1: a
    mistake is named; 4: none of the known ones.
    """
    from rich.text import Text

    from pipeline.report.diagnosis import conclusion, diagnosis_table, remarks
    from pipeline.workflow.diagnose import diagnose as find
    from pipeline.workflow.diagnose import exit_code

    with output.progress() as report:
        found = find(reference, candidate, data, images=images, report=report)
    said = conclusion(found)
    output.result(
        {"diagnosis": found.model_dump(mode="json"), "conclusion": said},
        diagnosis_table(found),
        *remarks(found),
        Text(said, "bold"),
    )
    if code := exit_code(found.found):
        raise typer.Exit(code)
