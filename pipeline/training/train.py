"""Train a model from a run's dataset, or find that it is already there."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.manifest import FileEntry, ModelManifest, package_versions
from pipeline.contract.run import (
    KERAS_MODEL_FILE,
    METRICS_FILE,
    MODEL_MANIFEST_FILE,
    RunDir,
    TrainingState,
    publish_dir,
    staging_dir,
)
from pipeline.errors import BadInput, reason_of
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.training.checks import check_images, check_request
from pipeline.training.job import PACKAGES, REVISION, TrainAnswer, TrainJob
from pipeline.training.request import TrainRequest


def train(
    request: TrainRequest,
    run: RunDir,
    *,
    critical: tuple[str, ...] | None = None,
    report: Report = silent,
) -> ModelManifest:
    """Train on `run.dataset` and publish the model, its manifest and its metrics as `run.train`.

    The caller holds `run.lock()`. A model that was made from the same inputs is returned as it
    is; a training of the same inputs that was killed goes on after its last whole epoch. The
    versions of TensorFlow, Keras, NumPy and Pillow and the revision of this package are inputs
    too. The history stays in `run.training_state`, as CSV and for TensorBoard.

    Args:
        request: what to train.
        run: gives the dataset and takes the model.
        critical: the classes whose recall an export gates, written into the manifest; the
            dataset's where None. Nothing is trained again for them.
        report: gets images, steps and, in the detail, loss, accuracy and the time left.

    Returns:
        the manifest beside the model.

    Raises:
        BadInput: the dataset, an image, the weights or the request is refused, or the loss is no
            longer a number.
        EnvironmentProblem: the weights cannot be downloaded, a file cannot be written, or the
            training process died.
    """
    check_request(request)
    dataset = DatasetManifest.load(run.dataset)
    labels = dataset.labels.with_critical(critical, where="--critical")
    check_images(dataset)
    parents = {"dataset": dataset.digest()}
    if request.weights_file is not None:
        parents["weights"] = _hash_weights(request.weights_file)
    asked = request.model_copy(update={"weights": request.weights_name})
    # The settings too: a recipe may change from one version of the pipeline to the next.
    training = {
        "request": asked.model_dump(mode="json"),
        "settings": request.settings().model_dump(mode="json"),
    }
    versions = package_versions(*PACKAGES)
    made_with = {name: versions[name] for name in PACKAGES} | {"revision": str(REVISION)}
    inputs = sha256_json({**training, "parents": parents, "made_with": made_with})
    if (finished := _finished(run, inputs, made_with, report)) is not None:
        if finished.labels != labels:
            finished = finished.model_copy(update={"labels": labels})
            finished.save(run.model_manifest)
        return finished
    with staging_dir(run.train) as staging:
        answer = ask_child(
            "pipeline.training.child:train_child",
            TrainJob(
                request=request,
                dataset=run.dataset.absolute(),
                inputs_sha256=inputs,
                state=run.training_state.folder.absolute(),
                out=staging.absolute(),
            ),
            TrainAnswer,
            report=report,
            log=run.log("train"),
        )
        manifest = ModelManifest(
            versions=versions,
            seed=request.seed,
            parents=parents,
            files={n: FileEntry.of(staging / n) for n in (KERAS_MODEL_FILE, METRICS_FILE)},
            image=request.image,
            labels=labels,
            recipe=request.recipe,
            backbone=request.backbone,
            width=request.width,
            weights=request.weights_name,
            training={
                "inputs_sha256": inputs,
                "made_with": made_with,
                **training,
                **answer.model_dump(mode="json"),
            },
        )
        manifest.save(staging / MODEL_MANIFEST_FILE)
        publish_dir(staging, run.train)
    _keep_only_logs(run.training_state)
    return manifest


def _hash_weights(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise BadInput(
            "cannot read the weights file",
            where=str(path),
            expected='"imagenet", "none", or the path of an .h5 file',
            got=reason_of(error),
        ) from error


def _finished(
    run: RunDir, inputs: str, made_with: dict[str, str], report: Report
) -> ModelManifest | None:
    if not run.model_manifest.exists():
        return None
    try:
        manifest = ModelManifest.load(run.model_manifest)
        manifest.check_files(run.train)
    except BadInput as error:
        # Damaged or of another version: it is made again, never used.
        reason = error.what if error.got is None else f"{error.what}: {error.got}"
    else:
        if manifest.training.get("inputs_sha256") == inputs:
            return manifest
        reason = _difference(manifest, made_with)
    report(ProgressEvent("train the model again", 1, 1, reason))
    return None


def _difference(manifest: ModelManifest, made_with: dict[str, str]) -> str:
    before = manifest.training.get("made_with", {})
    changed = [
        f"{name} {before.get(name, 'unknown')} was used, now {value}"
        for name, value in made_with.items()
        if before.get(name) != value
    ]
    return ", ".join(changed) or "the dataset, the weights or the options are others"


def _keep_only_logs(state: TrainingState) -> None:
    # Checkpoints and cached features can be large, and the model they led to is published.
    for path in state.folder.iterdir():
        if path.name.startswith(state.history.name) or path == state.tensorboard:
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
