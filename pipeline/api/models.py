"""Measure models on labelled images, and ask them about any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.api.arguments import run_or_scratch, several, stated_model
from pipeline.errors import BadInput
from pipeline.progress import Report, silent

if TYPE_CHECKING:
    from pipeline.contract.evaluation import Evaluation
    from pipeline.contract.normalization import Normalization
    from pipeline.workflow.predict import Predictions


def evaluate(
    models: str | PathLike[str] | Iterable[str | PathLike[str]],
    data: str | PathLike[str],
    *,
    run_dir: str | PathLike[str] | None = None,
    labels: Sequence[str] | None = None,
    critical: Sequence[str] | None = None,
    normalization: Normalization | str | None = None,
    logits: bool = False,
    size_px: tuple[int, int] | None = None,
    report: Report = silent,
) -> Evaluation:
    """Measure models on labelled images: with 95% intervals, by subgroup, side by side.

    Args:
        models: Keras models, `.tflite` files or bundles; one, or several to be compared.
        data: a folder of images in a folder for each class, or a `dataset.json`; all are used.
        run_dir: keeps recordings, to find them again; none are kept where None.
        labels: of a Keras model, in the order of its outputs; what is known of it where None.
        critical: labels that are critical; the models' own where None.
        normalization: what a Keras model takes, as `tf`; read from the model where None.
        logits: whether a Keras model answers logits.
        size_px: height and width, for a Keras model that takes any.
        report: receives progress.

    Returns:
        The figures of each of `models`, and `comparisons` of the first with each other one.

    Raises:
        PipelineError: a model or an image is refused, the images have no labels, or a runtime
            could not run.
    """
    from pipeline.workflow.evaluate import evaluate as evaluate_models
    from pipeline.workflow.parity_data import DataSource

    with run_or_scratch(run_dir) as run, run.lock():
        return evaluate_models(
            [Path(one) for one in several(models)],
            DataSource(Path(data)),
            run,
            stated=stated_model(labels, critical, normalization, logits, size_px),
            report=report,
        )


def predict(
    model: str | PathLike[str],
    images: str | PathLike[str] | Iterable[str | PathLike[str]],
    *,
    report: Report = silent,
) -> Predictions:
    """Answer images with the probability of every class.

    Args:
        model: a `.tflite` file, a bundle, or the `.keras` file of a run.
        images: files, folders or patterns such as `photos/*.jpg`; one, or several.
        report: receives progress.

    Returns:
        `predictions` in the order of the images, each with `image`, `label` and `probabilities`
        (0 to 1, by label), and `refused` images with their errors.

    Raises:
        PipelineError: the model or an argument is refused, or the runtime could not run.
    """
    from pipeline.workflow.predict import find_images
    from pipeline.workflow.predict import predict as predict_images

    found = find_images([fspath(one) for one in several(images)])
    if not found:
        raise BadInput("there is no image to answer", expected="a file, a folder or a pattern")
    return predict_images(Path(model), found, report=report)
