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
    from rich.console import RenderableType

    from pipeline.workflow.predict import Predictions


def predict(
    model: Annotated[Path, typer.Argument(help="A .tflite file, a bundle or a .keras file.")],
    images: Annotated[list[str], typer.Argument(help="Images, folders or patterns.")],
    csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    json: JsonOption = False,
) -> None:
    """Classify images with a model.

    Shows the probability of each class, and the one predicted. Of a bundle that states thresholds
    or an unsure band, also how each answer reads by them, as in the Android app.
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
    stated = predictions.decision.states_something
    reads = ["unsure", "over_threshold"] if stated else []
    writer.writerow(["image", "label", *reads, *predictions.labels.names])
    for one in predictions.predictions:
        shares = (f"{value:.6f}" for value in one.probabilities.values())
        reading = one.reading
        reads = [str(reading.unsure).lower(), " ".join(reading.over_threshold)] if stated else []
        writer.writerow([str(one.image), one.label, *reads, *shares])
    write(sys.stdout, lines.getvalue())


def _show(predictions: Predictions) -> None:
    from pipeline.contract.manifest import NOTICE
    from pipeline.report.terminal import predictions_table

    tables: list[RenderableType] = []
    if predictions.predictions and not output.as_json:
        answers = [(str(p.image), p.reading, p.probabilities) for p in predictions.predictions]
        name, decision = str(predictions.model), predictions.decision
        tables.append(
            predictions_table(name, answers, output.console(), decision, predictions.chosen)
        )
    output.result(
        {
            "model": str(predictions.model),
            "model_sha256": predictions.model_sha256,
            "notice": NOTICE,
            "labels": list(predictions.labels.names),
            "decision": predictions.decision.model_dump(mode="json"),
            "chosen": None
            if predictions.chosen is None
            else predictions.chosen.model_dump(mode="json"),
            "predictions": [
                {
                    "image": str(one.image),
                    "label": one.label,
                    "unsure": one.reading.unsure,
                    "over_threshold": list(one.reading.over_threshold),
                    "probabilities": one.probabilities,
                }
                for one in predictions.predictions
            ],
            "refused": [
                {"image": str(path), "error": error.to_dict()}
                for path, error in predictions.refused
            ],
        },
        *tables,
    )
