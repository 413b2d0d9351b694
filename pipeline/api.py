"""Offer what a script or a notebook calls; `import pipeline` loads it when it is first used.

Each function does what the command of its name does, with its defaults, and raises where that
exits: a `pipeline.errors.PipelineError` with the command's `exit_code`. Paths may be texts.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipeline.contract.base import first_problem
from pipeline.contract.bundle import load_bundle as _load_bundle
from pipeline.contract.choices import DEFAULT_RUNTIME, Io, Quantize, Repair, default_io
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent

if TYPE_CHECKING:
    from pipeline.contract.decision import Decision
    from pipeline.contract.evaluation import Evaluation
    from pipeline.contract.manifest import BundleManifest
    from pipeline.contract.normalization import Normalization
    from pipeline.contract.verdict import Verdict
    from pipeline.workflow.exported import Exported
    from pipeline.workflow.predict import Predictions
    from pipeline.workflow.source import StatedModel
    from pipeline.workflow.verify import Verified

DEFAULT_RUN_DIR = "artifacts/run"
_THRESHOLDS = Thresholds()


def export(
    quantize: Quantize | str,
    *,
    model: str | PathLike[str] | None = None,
    run_dir: str | PathLike[str] = DEFAULT_RUN_DIR,
    labels: Sequence[str] | None = None,
    critical: Sequence[str] | None = None,
    normalization: Normalization | str | None = None,
    logits: bool = False,
    size_px: tuple[int, int] | None = None,
    io: Io | str | None = None,
    repair: Repair | str | None = None,
    thresholds: Thresholds = _THRESHOLDS,
    decision: Decision | None = None,
    golden_photos: Sequence[str | PathLike[str]] = (),
    min_runtime: str = DEFAULT_RUNTIME,
    model_version: str | None = None,
    author: str = "",
    report: Report = silent,
) -> Exported:
    """Convert, describe and prove; publish only if proven.

    Args:
        quantize: `float32`, `float16`, `dynamic` or `int8`.
        model: a `.keras` or `.h5` file or a SavedModel folder; the run's own where None.
        run_dir: holds the prepared dataset; takes bundles, recordings and logs.
        labels: in the order of the model's outputs; the dataset's where None.
        critical: labels whose recall is gated one by one; known malignancies where None.
        normalization: what the model takes, as `tf` (-1 to 1), `unit` (0 to 1) or `raw` (0 to
            255); read from the model where None.
        logits: whether the model answers logits.
        size_px: height and width, for a model that takes any.
        io: type of input and output; uint8 for int8, else float32.
        repair: how far int8 is repaired: `none`, `auto` or `max`.
        thresholds: the limits.
        decision: how a device is to speak of an answer.
        golden_photos: JPEG files to ship as goldens, beside the synthetic ones.
        min_runtime: the oldest TFLite runtime that must load the file.
        model_version: the model's own; from its hash where None.
        author: who made the model.
        report: receives progress.

    Returns:
        What became of it: `published`, `folder`, `verdict`, `manifest`; `refusal()` is why it was
        not published, or None.

    Raises:
        PipelineError: the model, the dataset, an image or a value is refused, or a tool could not
            run. A file that fails its gate raises nothing: it is kept aside.
    """
    from pipeline.contract.decision import Decision
    from pipeline.contract.recipe import Recipe
    from pipeline.workflow.export import export as export_file
    from pipeline.workflow.export_job import ExportJob
    from pipeline.workflow.source import keras_source

    with _arguments_checked():
        kind = Quantize(quantize)
        recipe = Recipe(
            quantize=kind,
            io=default_io(kind) if io is None else Io(io),
            repair=Repair.auto if repair is None else Repair(repair),
        )
    stated = _stated(labels, critical, normalization, logits, size_px)
    run = RunDir(Path(run_dir))
    with run.lock():
        job = ExportJob(
            source=keras_source(run, _path(model), stated),
            recipe=recipe,
            thresholds=thresholds,
            promised_runtime=min_runtime,
            decision=Decision() if decision is None else decision,
            golden_photos=tuple(Path(photo) for photo in golden_photos),
            model_version=model_version,
            author=author,
        )
        return export_file(job, run, report=report)


def parity(
    bundle: str | PathLike[str],
    *,
    data: str | PathLike[str] | None = None,
    model: str | PathLike[str] | None = None,
    run_dir: str | PathLike[str] | None = None,
    critical: Sequence[str] | None = None,
    thresholds: Thresholds = _THRESHOLDS,
    report: Report = silent,
) -> Verdict:
    """Judge a bundle, or a bare `.tflite` file, against its Keras model.

    Args:
        bundle: a bundle folder or a `.tflite` file.
        data: images, all of which are used: a folder or a `dataset.json`; the validation split of
            the run where None.
        model: its Keras model; where None the run's own, or with `data` what the bundle carries
            of it.
        run_dir: holds the dataset, takes recordings and logs; `artifacts/run` where None. With
            `data` only recordings are kept there, and none where it is None.
        critical: labels whose recall is gated one by one; the file's own where None.
        thresholds: the limits.
        report: receives progress.

    Returns:
        The verdict: `passed`, `checks`, `broken()`, `figures`.

    Raises:
        PipelineError: something is missing, refused or belongs to another model, or a runtime
            could not run. A verdict that is no pass raises nothing.
    """
    from pipeline.workflow.parity import judge_model
    from pipeline.workflow.parity_data import DataSource, judge_data

    named, keras = None if critical is None else tuple(critical), _path(model)
    if data is None:
        run = RunDir(Path(run_dir or DEFAULT_RUN_DIR))
        with run.lock():
            return judge_model(
                run, Path(bundle), thresholds, critical=named, keras=keras, report=report
            )
    with _cache(run_dir) as run, run.lock():
        return judge_data(
            run,
            Path(bundle),
            DataSource(Path(data)),
            thresholds,
            critical=named,
            keras=keras,
            report=report,
        )


def verify(
    bundle: str | PathLike[str],
    *,
    public_key: str | PathLike[str] | None = None,
    identity: str | None = None,
    identity_provider: str | None = None,
    require_signature: bool = False,
) -> Verified:
    """Check that a bundle is what was proven, from its own files alone.

    Args:
        bundle: the folder; it is only read.
        public_key: PEM file of the key with which a signature in it must agree.
        identity: or whose Sigstore signature it must be, vouched for by `identity_provider`.
        identity_provider: address of an OpenID Connect provider.
        require_signature: whether a bundle that is not signed is refused.

    Returns:
        What it came to: `refusal()` is why the bundle is refused, or None; `verdict`, `manifest`.

    Raises:
        PipelineError: this is no bundle at all, the options do not fit together, or LiteRT could
            not run. A bundle that is refused raises nothing.
    """
    from pipeline.workflow.signature import SignatureAsked
    from pipeline.workflow.verify import verify as verify_bundle

    asked = SignatureAsked.of(
        public_key=_path(public_key),
        identity=identity,
        identity_provider=identity_provider,
        required=require_signature,
    )
    return verify_bundle(Path(bundle), more=[asked.checks])


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

    with _cache(run_dir) as run, run.lock():
        return evaluate_models(
            [Path(one) for one in _several(models)],
            DataSource(Path(data)),
            run,
            stated=_stated(labels, critical, normalization, logits, size_px),
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

    found = find_images([fspath(one) for one in _several(images)])
    return predict_images(Path(model), found, report=report)


def load_bundle(folder: str | PathLike[str]) -> BundleManifest:
    """Return the manifest of a bundle whose files are those that it lists.

    Unlike `verify` this judges nothing.

    Raises:
        BadInput: this is no bundle, or a file is missing or was changed.
    """
    return _load_bundle(Path(folder))


def _stated(
    labels: Sequence[str] | None,
    critical: Sequence[str] | None,
    normalization: Normalization | str | None,
    logits: bool,
    size_px: tuple[int, int] | None,
) -> StatedModel:
    from pipeline.contract.normalization import Normalization
    from pipeline.contract.normalization_name import NormalizationName
    from pipeline.workflow.source import StatedModel

    if isinstance(normalization, str):
        with _arguments_checked():
            normalization = Normalization.named(NormalizationName(normalization))
    return StatedModel(
        labels=None if labels is None else tuple(labels),
        critical=None if critical is None else tuple(critical),
        normalization=normalization,
        logits=logits,
        size=size_px,
    )


@contextmanager
def _cache(run_dir: str | PathLike[str] | None) -> Iterator[RunDir]:
    """Yield the run folder that was named, or one for this call alone."""
    if run_dir is not None:
        yield RunDir(Path(run_dir))
        return
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        yield RunDir(Path(folder))


def _several(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]],
) -> list[str | PathLike[str]]:
    return [paths] if isinstance(paths, str | PathLike) else [*paths]


@contextmanager
def _arguments_checked() -> Iterator[None]:
    """Turn the arguments into contract values inside this block, and nothing else."""
    try:
        yield
    except ValidationError as error:
        raise BadInput("these arguments do not fit together", got=first_problem(error)) from error
    except ValueError as error:
        raise BadInput("not one of the values of its argument", got=str(error)) from error


def _path(path: str | PathLike[str] | None) -> Path | None:
    return None if path is None else Path(path)
