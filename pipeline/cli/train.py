"""Offer `pipeline train`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.options import (
    DEFAULT_RUN_DIR,
    JsonOption,
    RunDirOption,
    SeedOption,
    choice,
    options_checked,
)
from pipeline.cli.output import output
from pipeline.cli.stated import CriticalOption
from pipeline.training.backbones import DEFAULT, NAMES
from pipeline.training.choices import TrainRecipe

if TYPE_CHECKING:
    from pipeline.contract.manifest import ModelManifest
    from pipeline.contract.run import RunDir


def train(
    backbone: Annotated[str, choice(NAMES, "Network under the classifier.")] = DEFAULT,
    recipe: Annotated[
        TrainRecipe,
        typer.Option(
            help="default: frozen features, then fine-tuning; seed: the plain 128 epochs."
        ),
    ] = TrainRecipe.default,
    weights: Annotated[
        str, typer.Option(help="imagenet (downloaded by Keras), none, or a .weights.h5 file.")
    ] = "imagenet",
    size_px: Annotated[
        int,
        typer.Option(
            help="Height and width of the model input; each backbone takes multiples of its own.",
        ),
    ] = 256,
    width: Annotated[
        float,
        typer.Option(help="Width multiplier of the backbone's channels; EfficientNet has 1 only."),
    ] = 1.0,
    batch_size: Annotated[
        int | None, typer.Option(min=1, max=100_000, help="Images a step.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, max=100_000, help="Epochs of the longest phase; the recipe's own by default."
        ),
    ] = None,
    budget: Annotated[
        float | None,
        typer.Option(
            metavar="MINUTES",
            help="Train as long as fits, by the speed of this machine, instead of --epochs.",
        ),
    ] = None,
    calibrate: Annotated[
        bool,
        typer.Option(
            help="Scale the model's logits by a temperature fitted on validation, in its weights, "
            "so that its confidence is its accuracy.",
        ),
    ] = True,
    critical: CriticalOption = None,
    seed: SeedOption = 0,
    run_dir: RunDirOption = DEFAULT_RUN_DIR,
    json: JsonOption = False,
) -> None:
    """Train the classifier on the prepared dataset.

    A training that was ended goes on where it was.
    """
    from pipeline.contract.run import RunDir
    from pipeline.training.train import train as train_stage
    from pipeline.workflow.config import TrainConfig

    run = RunDir(run_dir)
    with options_checked():
        config = TrainConfig.of(
            backbone=backbone,
            recipe=recipe,
            weights=weights,
            size_px=size_px,
            width=width,
            batch_size=batch_size,
            epochs=epochs,
            budget_minutes=budget,
            calibrate=calibrate,
        )
        request = config.request(seed)
    with run.lock(), output.progress() as report:
        named = None if critical is None else tuple(critical)
        manifest = train_stage(request, run, critical=named, report=report)
    show_model(manifest, run)


def show_model(manifest: ModelManifest, run: RunDir) -> None:
    """Show a trained model's figures on each split."""
    from pipeline.metrics import load_metrics
    from pipeline.report.calibration import calibration_table
    from pipeline.report.terminal import metrics_table

    metrics, calibration = load_metrics(run.metrics), manifest.calibration
    output.result(
        {
            "model": str(run.model),
            "sha256": manifest.files[run.model.name].sha256,
            "metrics": {split: figures.model_dump() for split, figures in metrics.items()},
        },
        metrics_table(metrics),
        *([] if calibration is None else [calibration_table(calibration)]),
        f"model: {run.model}",
    )
