"""Find the model to export: the run's own, or one brought from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from pipeline.contract.base import first_problem
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import ModelManifest
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.runtimes.keras_file import check_keras_archive


@dataclass(frozen=True)
class KerasSource:
    """Hold a Keras model with what must be known of it, and the dataset it is proven on."""

    path: Path
    sha256: str
    image: ImageContract
    labels: Labels
    dataset: DatasetManifest
    license: str = "unknown"


def keras_source(run: RunDir, model: Path | None) -> KerasSource:
    """Find the run's trained model, or take `model` with the run's dataset.

    A model with a `manifest.json` beside it brings its own image contract and labels, and its
    file must be the one the manifest names. One without is taken to follow the default contract
    at its own input size, with the dataset's labels.

    Raises:
        BadInput: there is no model or dataset, the file was changed, carries code, or is not an
            image classifier.
    """
    path = run.model if model is None else model
    if not run.dataset.exists():
        raise BadInput(
            "this run has no dataset to prove a model on",
            where=str(run.dataset),
            next_step=f"pipeline data prepare SRC --run-dir {run.root}",
        )
    dataset = DatasetManifest.load(run.dataset)
    if not path.exists():
        raise BadInput(
            "there is no Keras model here",
            where=str(path),
            next_step=f"pipeline train --run-dir {run.root}, or give --model FILE.keras",
        )
    facts = check_keras_archive(path)
    manifest_path = path.parent / "manifest.json"
    if manifest_path.exists():
        manifest = ModelManifest.load(manifest_path)
        if path.name in manifest.files:
            manifest.check_files(path.parent)
            sha256 = manifest.files[path.name].sha256
            return KerasSource(
                path, sha256, manifest.image, manifest.labels, dataset, dataset.license
            )
    if facts.input_shape is None or len(facts.input_shape) != 3 or facts.input_shape[2] != 3:
        raise BadInput(
            "the model does not take RGB images of one fixed size",
            where=str(path),
            expected="an input of shape (batch, height, width, 3)",
            got=f"shape (batch, {', '.join(map(str, facts.input_shape or ('unknown',)))})",
        )
    height_px, width_px, _ = facts.input_shape
    try:
        image = ImageContract(height_px=height_px, width_px=width_px)
    except ValidationError as error:
        raise BadInput(
            "the model's input does not fit the image contract",
            where=str(path),
            got=first_problem(error),
        ) from error
    return KerasSource(path, sha256_file(path), image, dataset.labels, dataset, dataset.license)
