"""Offer `pipeline predict`."""

from __future__ import annotations

import io
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import JsonOption
from pipeline.cli.output import output
from pipeline.cli.streams import write

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.workflow.predict import Predictions


def predict(
    model: Annotated[Path, typer.Argument(help="A .tflite file, a bundle or a .keras file.")],
    images: Annotated[list[str], typer.Argument(help="Images, folders or patterns.")],
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    json: JsonOption = False,
) -> None:
    """Classify images with a model.

    Shows the probability of each class, and the one predicted.
    """
    from pipeline.errors import BadInput
    from pipeline.workflow.predict import find_images
    from pipeline.workflow.predict import predict as predict_stage

    if csv and output.as_json:
        raise BadInput("choose one of --csv and --json")
    found = find_images(images)
    with output.progress() as report:
        predictions = predict_stage(model, found, report=report)
    if csv:
        _write_csv(predictions)
    else:
        _show(predictions)
    if predictions.refused:
        if not output.as_json:
            for _, error in predictions.refused:
                output.refusal(error)
        raise typer.Exit(BadInput.exit_code)


def _write_csv(predictions: Predictions) -> None:
    import csv

    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["image", "label", *predictions.labels.names])
    for one in predictions.predictions:
        shares = (f"{value:.6f}" for value in one.probabilities.values())
        writer.writerow([str(one.image), one.label, *shares])
    write(sys.stdout, lines.getvalue())


def _show(predictions: Predictions) -> None:
    from rich.markup import escape
    from rich.table import Table

    from pipeline.contract.manifest import NOTICE

    table = Table("image", "predicted", title=escape(str(predictions.model)), caption=NOTICE)
    for name in predictions.labels.names:
        table.add_column(name, justify="right")
    for one in predictions.predictions:
        table.add_row(
            escape(str(one.image)),
            one.label,
            *(
                f"[bold]{value:.3f}[/]" if name == one.label else f"{value:.3f}"
                for name, value in one.probabilities.items()
            ),
        )
    console = output.console()
    # Asked at any width, since a measure is otherwise cut to the terminal's.
    unbounded = console.options.update(width=sys.maxsize)
    if console.measure(table, options=unbounded).maximum > console.width:
        table = _tall_table(predictions)
    output.result(
        {
            "model": str(predictions.model),
            "model_sha256": predictions.model_sha256,
            "notice": NOTICE,
            "labels": list(predictions.labels.names),
            "predictions": [
                {
                    "image": str(one.image),
                    "label": one.label,
                    "probabilities": one.probabilities,
                }
                for one in predictions.predictions
            ],
            "refused": [
                {"image": str(path), "error": error.to_dict()}
                for path, error in predictions.refused
            ],
        },
        *([table] if predictions.predictions else []),
    )


def _tall_table(predictions: Predictions) -> Table:
    """Return a row for each class of each image, for a terminal that a row an image overflows."""
    from rich.markup import escape
    from rich.table import Table

    from pipeline.contract.manifest import NOTICE

    table = Table(title=escape(str(predictions.model)), caption=NOTICE)
    table.add_column("image", overflow="fold")
    table.add_column("class", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    for one in predictions.predictions:
        for number, (name, value) in enumerate(one.probabilities.items()):
            shown = (name, f"{value:.3f}")
            if name == one.label:
                shown = (f"[bold]{name}[/] (predicted)", f"[bold]{value:.3f}[/]")
            last = number == len(one.probabilities) - 1
            table.add_row("" if number else escape(str(one.image)), *shown, end_section=last)
    return table
