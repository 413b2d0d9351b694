"""Find the model to export: the run's own, or one brought from elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.normalization import Normalization
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.workflow.keras_model import NOTHING_STATED, KerasModel, StatedModel, keras_model


@dataclass(frozen=True, kw_only=True)
class KerasSource(KerasModel):
    """Hold a Keras model with the dataset it is exported and proven on."""

    dataset: DatasetManifest
    license: str = "unknown"


def keras_source(
    run: RunDir, model: Path | None, stated: StatedModel = NOTHING_STATED
) -> KerasSource:
    """Find the run's trained model, or take `model` with the run's dataset.

    What it takes and answers is read as `keras_model` says; labels that are not stated are the
    dataset's.

    Raises:
        BadInput: there is no model or dataset, the file was changed, carries code, or is not an
            image classifier; or something about it is neither stated nor to be read.
    """
    path = run.model if model is None else model
    if not run.dataset.exists():
        raise BadInput(
            "this run has no dataset to prove a model on",
            where=str(run.dataset),
            next_step=f"pipeline data prepare SRC --run-dir {run.root}; for photographs without "
            "labels, export with --unlabelled DIR; a bundle is proven on a folder with "
            "`pipeline parity BUNDLE --data FOLDER`",
        )
    dataset = DatasetManifest.load(run.dataset)
    if not path.exists():
        raise BadInput(
            "there is no Keras model here",
            where=str(path),
            next_step=f"pipeline train --run-dir {run.root}, or give --model FILE.keras",
        )
    found = keras_model(path, stated, known=dataset.labels)
    values = {field.name: getattr(found, field.name) for field in fields(found)}
    return KerasSource(**values, dataset=dataset, license=dataset.license)


def recorded_model(manifest: BundleManifest | None, image: ImageContract) -> StatedModel:
    """Return what an exported file says of its Keras model; without a manifest, `image` alone."""
    if manifest is None:
        return StatedModel(normalization=Normalization.of_image(image))
    return StatedModel(
        labels=manifest.labels.names,
        normalization=manifest.normalization,
        logits=manifest.logits,
        size=(manifest.image.height_px, manifest.image.width_px),
    )


def check_parent(
    manifest: BundleManifest, source: KerasModel, bundle: Path, *, next_step: str
) -> None:
    """Compare the model a bundle was made from with the one at hand.

    Raises:
        BadInput: it is another one; `next_step` says how to give the right one.
    """
    parent = manifest.parents.get("model")
    if parent != source.sha256:
        raise BadInput(
            "this bundle was made from another model",
            where=str(bundle),
            expected=f"model {source.sha256}, which is at {source.path}",
            got=f"model {parent or 'unknown'}",
            next_step=next_step,
        )
