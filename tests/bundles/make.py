"""Make the small proven bundle that Python and Kotlin break in the same ways.

Run `python -m tests.bundles.make` after a change of what a bundle holds.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.bundle import MODEL_FILE
from pipeline.contract.choices import Io, Quantize, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_file
from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir, publish_dir, staging_dir
from pipeline.imaging.decode import decode_bytes
from pipeline.imaging.preprocess import resize_pixels
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report
from pipeline.workflow.export import export
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.exported import Exported
from pipeline.workflow.source import KerasSource
from tests.bundles.broken import BUNDLE, OTHER_MODEL
from tests.export.samples import IMAGE, LABELS, Made, samples

RECIPE = Recipe(quantize=Quantize.int8, io=Io.uint8, representative_count=8)
# So few images decide nothing of a real model.
THRESHOLDS = Thresholds(min_images=10, min_critical_images=5)
_TRAINED_ON = 3


class TrainRequest(Frozen):
    """Ask for the model trained on `images`, which have their label in their name."""

    model: Path
    images: tuple[Path, ...]
    out: Path


def train_child(request: TrainRequest, report: Report) -> Made:
    """Fit the model until it knows the three colours, in a child process."""
    import keras
    import numpy as np

    keras.utils.set_random_seed(3)
    pixels = np.stack(
        [
            resize_pixels(decode_bytes(path.read_bytes(), IMAGE, where=str(path)), IMAGE)
            for path in request.images
        ]
    )
    truth = np.array([LABELS.index(path.name.split("-")[0]) for path in request.images])
    model = keras.models.load_model(request.model)
    model.compile(keras.optimizers.Adam(0.003), "sparse_categorical_crossentropy")
    # Moving statistics stay: with no momentum one batch would set them.
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False
    model.fit((pixels.astype(np.float32) - IMAGE.mean) / IMAGE.std, truth, epochs=60, verbose=0)
    model.save(request.out)
    return Made()


def dataset_to_judge_on() -> DatasetManifest:
    """Return the samples' images, most of them held out."""
    made = samples().dataset
    return made.model_copy(
        update={
            "images": tuple(
                image.model_copy(
                    update={
                        "split": Split.train
                        if int(Path(image.path).stem.split("-")[1]) < _TRAINED_ON
                        else Split.validation
                    }
                )
                for image in made.images
            )
        }
    )


def made_bundle(run: RunDir, model: Path, thresholds: Thresholds = THRESHOLDS) -> Exported:
    """Export a model of the samples' form."""
    source = KerasSource(model, sha256_file(model), IMAGE, LABELS, dataset=dataset_to_judge_on())
    return export(ExportJob(source, RECIPE, thresholds, model_version="1.0"), run)


def trained_model(out: Path) -> Path:
    """Train the samples' model."""
    dataset = dataset_to_judge_on()
    images = tuple(dataset.file(image) for image in dataset.of(Split.train))
    ask_child(
        "tests.bundles.make:train_child",
        TrainRequest(model=samples().models["good"], images=images, out=out),
        Made,
        log=out.with_suffix(".log"),
    )
    return out


def main() -> None:
    """Write the bundle, and beside it the model file of the same network before its training."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        proven = made_bundle(RunDir(root / "run"), trained_model(root / "trained.keras"))
        if not proven.published or proven.folder is None:
            raise SystemExit(str(proven.refusal()))
        lax = THRESHOLDS.model_copy(update={"accept_weak_reference": True})
        other = made_bundle(RunDir(root / "other"), samples().models["good"], lax)
        if other.folder is None:
            raise SystemExit(str(other.refusal()))
        OTHER_MODEL.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(other.folder / MODEL_FILE, OTHER_MODEL)
        with staging_dir(BUNDLE) as staging:
            shutil.copytree(proven.folder, staging, dirs_exist_ok=True)
            publish_dir(staging, BUNDLE)


if __name__ == "__main__":
    main()
