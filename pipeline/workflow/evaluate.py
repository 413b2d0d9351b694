"""Evaluate one or more models on labelled images that lie anywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pipeline.classifier.spec import model_sha256
from pipeline.contract.bundle import MODEL_FILE, load_bundle
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.evaluation import Evaluation
from pipeline.contract.images import ImageSet
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.evaluation.bootstrap import RESAMPLES, SEED, resample
from pipeline.evaluation.compare import compare_models
from pipeline.evaluation.measure import (
    MIN_CLASS_IMAGES,
    MIN_IMAGES,
    Answered,
    measure_model,
    subgroups_of,
)
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import RecordRequest, hash_model, record
from pipeline.tflite.metadata import described_model
from pipeline.workflow.keras_model import (
    NOTHING_STATED,
    StatedModel,
    keras_model,
    manifest_beside,
)
from pipeline.workflow.parity_data import DataSource
from pipeline.workflow.source import recorded_model


def evaluate(
    models: Sequence[Path],
    data: DataSource,
    run: RunDir,
    *,
    stated: StatedModel = NOTHING_STATED,
    fresh: bool = False,
    report: Report = silent,
) -> Evaluation:
    """Measure how models answer labelled images: with intervals, by subgroup, side by side.

    What a `.tflite` file or a bundle takes is read from it. Of a Keras model what is stated
    counts, else the manifest beside it, else a bundle among the models that was made from it,
    else what can be read from the model; its labels are then the images' classes.

    Args:
        models: `.keras`, `.h5` or `.tflite` files, SavedModel folders or bundles, each once.
        data: the images, which must have labels.
        run: keeps recordings and logs; a new, empty folder serves.
        stated: what the user states of the Keras models; `critical` counts for every model.
        fresh: record anew what was recorded before.
        report: receives progress.

    Raises:
        BadInput: a model or an image is refused, the images have no labels, or the models answer
            different classes.
        EnvironmentProblem: a runtime could not run.
    """
    _check_models(models, stated)
    opened = [_open(model) for model in models]
    bundles = [one.manifest for one in opened if one.manifest is not None]
    labels = _labels(opened, stated)
    images = data.read(labels, report)
    if images.unlabelled:
        raise BadInput(
            "images without labels cannot be evaluated",
            where=str(images.source),
            expected="a folder for each class, named like the labels"
            + ("" if labels is None else f": {', '.join(labels.names)}"),
            next_step="`pipeline parity BUNDLE --data DIR` shows how often a bundle agrees with "
            "its Keras model; `pipeline predict` answers single images",
        )
    requests = [one.request(images, _stated(one, stated, bundles)) for one in opened]
    first = requests[0].labels.with_critical(stated.critical, where="--critical")
    truth = np.array(
        [first.index(one.label) for one in images.images if one.label is not None], np.int64
    )
    answered = [
        _answer(request, str(model), first, run, fresh, report)
        for model, request in zip(models, requests, strict=True)
    ]
    groups = subgroups_of([one.attributes for one in images.images])
    drawn = resample(truth, [one.probabilities for one in answered])
    figures = [
        measure_model(one, resampled, truth, first.names, first.critical, groups)
        for one, resampled in zip(answered, drawn, strict=True)
    ]
    sides = list(zip(answered, drawn, figures, strict=True))
    return Evaluation(
        data=str(data.path),
        dataset_sha256=images.dataset_sha256,
        split=images.split,
        images=len(images.images),
        labels=first.names,
        min_images=MIN_IMAGES,
        min_class_images=MIN_CLASS_IMAGES,
        resamples=RESAMPLES,
        seed=SEED,
        without_attributes=sum(not one.attributes for one in images.images),
        trained_on=_trained_on(data, images),
        models=tuple(figures),
        comparisons=tuple(
            compare_models(sides[0], other, truth, first.names, groups) for other in sides[1:]
        ),
    )


@dataclass(frozen=True)
class _Opened:
    """Hold a model with its own labels where it names them, and how it is asked."""

    path: Path
    labels: Labels | None
    manifest: BundleManifest | None
    keras: bool
    request: Callable[[ImageSet, StatedModel], RecordRequest]


def _open(model: Path) -> _Opened:
    if is_keras(model):
        return _open_keras(model)
    manifest = load_bundle(model) if model.is_dir() else None
    file = model / MODEL_FILE if model.is_dir() else model
    described = described_model(file)
    labels = described.labels if manifest is None else manifest.labels

    def request(images: ImageSet, _: StatedModel) -> RecordRequest:
        return RecordRequest(
            runtime=RuntimeName.litert,
            model=file,
            model_sha256=hash_model(file),
            image=described.image,
            labels=labels,
            images=images,
        )

    return _Opened(model, labels, manifest, keras=False, request=request)


def _open_keras(model: Path) -> _Opened:
    beside = manifest_beside(model)

    def request(images: ImageSet, stated: StatedModel) -> RecordRequest:
        return keras_model(model, stated, known=images.labels).record_request(images)

    labels = None if beside is None else beside.labels
    return _Opened(model, labels, None, keras=True, request=request)


def is_keras(model: Path) -> bool:
    """Tell whether a path is that of a Keras model, and no `.tflite` file or bundle."""
    return model.suffix in (".keras", ".h5", ".hdf5") or (model / "saved_model.pb").is_file()


def _check_models(models: Sequence[Path], stated: StatedModel) -> None:
    expected = "a Keras model, a .tflite file or a bundle"
    if not models:
        raise BadInput("evaluate needs a model", expected=expected, got="none")
    for model in models:
        if not model.exists():
            raise BadInput("there is no model here", where=str(model), expected=expected)
    if len(set(models)) < len(models):
        raise BadInput(
            "a model is named twice",
            got=", ".join(map(str, models)),
            expected="each model once",
        )
    unused = {
        "--labels": stated.labels,
        "--normalization, --mean and --std": stated.normalization,
        "--logits": stated.logits or None,
        "--size": stated.size,
    }
    given = [name for name, value in unused.items() if value is not None]
    if given and not any(map(is_keras, models)):
        raise BadInput(
            f"{', '.join(given)} would do nothing without a Keras model",
            expected="a .keras or .h5 file or a SavedModel folder",
            got=", ".join(map(str, models)),
            next_step="leave it out: a .tflite file says it itself",
        )


def _labels(opened: Sequence[_Opened], stated: StatedModel) -> Labels | None:
    """Return the labels that all models have; None where none of them names its own."""
    named = {str(one.path): one.labels.names for one in opened if one.labels is not None}
    if stated.labels is not None:
        named["--labels"] = stated.labels
    if len({frozenset(names) for names in named.values()}) > 1:
        raise BadInput(
            "the models answer different classes",
            expected="the same labels, in any order",
            got="; ".join(f"{where}: {', '.join(names)}" for where, names in named.items()),
        )
    own = next((one.labels for one in opened if one.labels is not None), None)
    return own if stated.labels is None or own is not None else Labels(names=stated.labels)


def _stated(opened: _Opened, stated: StatedModel, bundles: Sequence[BundleManifest]) -> StatedModel:
    """Return what is stated of a Keras model; where nothing is, what its bundle records of it."""
    own = not opened.keras or opened.labels is not None
    if own or replace(stated, critical=None) != NOTHING_STATED:
        return stated
    digest = model_sha256(opened.path)
    made = [one for one in bundles if one.parents.get("model") == digest]
    return recorded_model(made[0], made[0].image) if made else stated


def _answer(
    request: RecordRequest, model: str, first: Labels, run: RunDir, fresh: bool, report: Report
) -> Answered:
    if set(request.labels.names) != set(first.names):
        raise BadInput(
            "the models answer different classes",
            where=model,
            expected=", ".join(first.names),
            got=", ".join(request.labels.names),
        )
    recorded = record(request, run, fresh=fresh, report=report)
    facts, columns = recorded.recording.facts, [request.labels.index(n) for n in first.names]
    row_of = {image: row for row, image in enumerate(recorded.recording.image_ids.tolist())}
    rows = [row_of[image] for image in request.images.ids]
    probabilities = recorded.recording.probabilities[rows][:, columns]
    broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    if broken:
        raise BadInput(
            "the model answers numbers that are no probabilities",
            where=model,
            got=f"NaN or infinity for {broken} images",
            next_step="`pipeline parity` says what is wrong with the file",
        )
    return Answered(
        model=model,
        model_sha256=facts.model_sha256,
        runtime=facts.runtime,
        runtime_version=facts.runtime_version,
        recording=recorded.origin,
        latency_ms_p50=facts.latency_ms_p50,
        probabilities=probabilities,
    )


def _trained_on(data: DataSource, images: ImageSet) -> int:
    """Count the images of a prepared dataset's training split among them."""
    if not data.path.is_file():
        return 0
    dataset: DatasetManifest = DatasetManifest.load(data.path)
    training = {one.sha256 for one in dataset.of(Split.train)}
    return sum(one.sha256 in training for one in images.images)
