"""Train a model from a run's dataset, or find that it is already there."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.dataset import DatasetManifest, Split
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
from pipeline.errors import BadInput
from pipeline.progress import Report, silent
from pipeline.training.job import TrainAnswer, TrainJob
from pipeline.training.request import IMAGENET_WIDTHS, TrainRequest


def train(request: TrainRequest, run: RunDir, *, report: Report = silent) -> ModelManifest:
    """Train on `run.dataset` and publish the model, its manifest and its metrics as `run.train`.

    The caller holds `run.lock()`. A model that was made from the same inputs is returned as it
    is; a training of the same inputs that was killed goes on after its last whole epoch. The
    history stays in `run.training_state`, as CSV and for TensorBoard.

    Args:
        request: what to train.
        run: gives the dataset and takes the model.
        report: gets images, steps and, in the detail, loss, accuracy and the time left.

    Returns:
        the manifest beside the model.

    Raises:
        BadInput: the dataset, an image, the weights or the request is refused, or the loss is no
            longer a number.
        EnvironmentProblem: the weights cannot be downloaded, a file cannot be written, or the
            training process died.
    """
    dataset = DatasetManifest.load(run.dataset)
    _check_request(request)
    _check_images(dataset)
    parents = {"dataset": dataset.digest()}
    if request.weights_file is not None:
        parents["weights"] = _hash_weights(request.weights_file)
    asked = request.model_copy(update={"weights": request.weights_name})
    # The settings too: a recipe may change from one version of the pipeline to the next.
    training = {
        "request": asked.model_dump(mode="json"),
        "settings": request.settings().model_dump(mode="json"),
    }
    inputs = sha256_json({**training, "parents": parents})
    if (finished := _finished(run, inputs)) is not None:
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
            log=run.logs / "train.log",
        )
        manifest = ModelManifest(
            versions=package_versions("keras", "numpy", "pillow", "tensorflow"),
            seed=request.seed,
            parents=parents,
            files={n: FileEntry.of(staging / n) for n in (KERAS_MODEL_FILE, METRICS_FILE)},
            image=request.image,
            labels=dataset.labels,
            recipe=request.recipe,
            width=request.width,
            weights=request.weights_name,
            training={"inputs_sha256": inputs, **training, **answer.model_dump(mode="json")},
        )
        manifest.save(staging / MODEL_MANIFEST_FILE)
        publish_dir(staging, run.train)
    _keep_only_logs(run.training_state)
    return manifest


def _check_request(request: TrainRequest) -> None:
    if request.weights == "imagenet" and request.width not in IMAGENET_WIDTHS:
        raise BadInput(
            "Keras has no ImageNet weights for this width",
            expected=f"one of {', '.join(map(str, IMAGENET_WIDTHS))}",
            got=f"width {request.width:g}",
            next_step="take one of these widths, --weights none, or --weights PATH",
        )
    if request.weights != "none" and request.image.float_range != (-1.0, 1.0):
        low, high = request.image.float_range
        raise BadInput(
            "pretrained MobileNetV2 weights expect inputs from -1 to 1",
            expected="mean 127.5 and std 127.5",
            got=f"inputs from {low:g} to {high:g}",
        )


def _hash_weights(path: Path) -> str:
    try:
        return sha256_file(path)
    except OSError as error:
        raise BadInput(
            "cannot read the weights file",
            where=str(path),
            expected='"imagenet", "none", or the path of an .h5 file',
            got=str(error),
        ) from error


def _check_images(dataset: DatasetManifest) -> None:
    for split in (Split.train, Split.validation):
        if not dataset.of(split):
            raise BadInput(f"the {split} split has no images", where=dataset.root)
    seen = {image.label for image in dataset.of(Split.train)}
    unseen = [name for name in dataset.labels.names if name not in seen]
    if unseen:
        raise BadInput("a class has no training image", where=dataset.root, got=", ".join(unseen))
    missing, changed = [], []
    for image in dataset.images:
        path = dataset.file(image)
        if not path.is_file():
            missing.append(image.path)
        elif path.stat().st_size != image.size_bytes:
            changed.append(image.path)
    for names, what in (
        (missing, "images of the dataset are missing"),
        (changed, "images changed since the dataset was prepared"),
    ):
        if names:
            raise BadInput(
                f"{len(names)} {what}",
                where=dataset.root,
                got=", ".join(names[:5]),
                next_step="run `pipeline data prepare` again",
            )


def _finished(run: RunDir, inputs: str) -> ModelManifest | None:
    path = run.model_manifest
    if not path.exists():
        return None
    try:
        manifest = ModelManifest.load(path)
        manifest.check_files(run.train)
    except BadInput:
        # Damaged or of another version: it is made again, never used.
        return None
    return manifest if manifest.training.get("inputs_sha256") == inputs else None


def _keep_only_logs(state: TrainingState) -> None:
    # Checkpoints and cached features can be large, and the model they led to is published.
    for path in state.folder.iterdir():
        if path in (state.history, state.tensorboard):
            continue
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
