"""Classify image files with a `.tflite` file, a bundle or a `.keras` model."""

from __future__ import annotations

import glob
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.contract.bundle import MODEL_FILE, load_bundle
from pipeline.contract.choices import RuntimeName
from pipeline.contract.chosen import ChosenDecision
from pipeline.contract.decision import Decision, Reading
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import ModelManifest
from pipeline.errors import BadInput, PipelineError
from pipeline.imaging.decode import IMAGE_SUFFIXES
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import ask, hash_model
from pipeline.runtimes.interface import ImageFile, InferenceRequest
from pipeline.tflite.metadata import described_model


@dataclass(frozen=True)
class Prediction:
    """Hold one image's answer: a probability (0 to 1) for each label, and how it is to be read."""

    image: Path
    probabilities: dict[str, float]
    reading: Reading

    @property
    def label(self) -> str:
        """Return the most probable label."""
        return self.reading.label


@dataclass(frozen=True)
class Predictions:
    """Hold the answers, the images that were refused with their reasons, and the model used.

    `decision` is what the bundle states about reading an answer; of a bare file, nothing. `chosen`
    is what that was chosen for, None where it was stated.
    """

    model: Path
    model_sha256: str
    labels: Labels
    image: ImageContract
    decision: Decision
    predictions: tuple[Prediction, ...]
    refused: tuple[tuple[Path, PipelineError], ...]
    chosen: ChosenDecision | None = None


def predict(model: Path, images: list[Path], *, report: Report = silent) -> Predictions:
    """Answer each image with the probability of every class.

    Everything about a `.tflite` is read from the file's own metadata; a `.keras` file needs the
    manifest that `pipeline train` writes beside it. A bundle's thresholds and its unsure band are
    applied as the Android app applies them.

    Raises:
        BadInput: the model is missing, refused, or says too little about itself.
        EnvironmentProblem: the runtime could not run.
    """
    opened = _open(model)
    labels = opened.labels
    answers = ask(
        InferenceRequest(
            runtime=opened.runtime,
            model=opened.file,
            model_sha256=opened.sha256,
            image=opened.image,
            labels=labels.names,
            images=tuple(ImageFile(path=path) for path in images),
            collect_bad=True,
        ),
        report=report,
    )
    predictions = []
    for index, row in zip(answers.answered.tolist(), answers.probabilities, strict=True):
        probabilities = dict(zip(labels.names, map(float, row), strict=True))
        reading = opened.decision.read(probabilities)
        predictions.append(Prediction(images[index], probabilities, reading))
    refused = tuple((images[index], error) for index, error in sorted(answers.bad.items()))
    return Predictions(
        opened.file,
        opened.sha256,
        labels,
        opened.image,
        opened.decision,
        tuple(predictions),
        refused,
        opened.chosen,
    )


def find_images(arguments: list[str]) -> list[Path]:
    """Expand files, folders (recursively) and glob patterns into image files, in order, once each.

    A named file is taken whatever its suffix; folders and patterns give files with a known image
    suffix.

    Raises:
        BadInput: an argument names nothing, or there is no image at all.
    """
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        if path.is_dir():
            matches = [file for file in sorted(path.rglob("*")) if _is_image(file)]
        elif path.exists():
            matches = [path]
        else:
            # Path.glob takes no absolute pattern.
            names = glob.glob(argument, recursive=True)  # noqa: PTH207
            named = [Path(name) for name in sorted(names)]
            matches = [file for file in named if _is_image(file)]
        if not matches:
            raise BadInput(
                "no image here",
                where=argument,
                expected="an image file, a folder of images, or a pattern such as 'photos/*.jpg'",
            )
        found.update(dict.fromkeys(matches))
    return list(found)


def _is_image(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class _Opened:
    """Hold the file that answers, with what it says about itself."""

    file: Path
    sha256: str
    runtime: RuntimeName
    image: ImageContract
    labels: Labels
    decision: Decision = field(default_factory=Decision)
    chosen: ChosenDecision | None = None


def _open(model: Path) -> _Opened:
    if not model.exists():
        raise BadInput("there is no model here", where=str(model))
    if model.suffix == ".keras":
        return _open_keras(model)
    manifest = load_bundle(model) if model.is_dir() else None
    file = model if manifest is None else model / MODEL_FILE
    described = described_model(file)
    return _Opened(
        file,
        hash_model(file),
        RuntimeName.litert,
        described.image,
        described.labels,
        Decision() if manifest is None else manifest.decision,
        None if manifest is None else manifest.chosen,
    )


def _open_keras(model: Path) -> _Opened:
    # Labels in another order would give every answer a wrong name, so a manifest that happens to
    # lie beside the file is not enough.
    manifest_path = model.parent / "manifest.json"
    where = "use the model where `pipeline train` put it, or export it"
    if not manifest_path.exists():
        raise BadInput(
            "a .keras file does not say what its outputs mean",
            where=str(model),
            expected=f"its manifest at {manifest_path}",
            next_step=where,
        )
    manifest = ModelManifest.load(manifest_path)
    entry, found = manifest.files.get(model.name), hash_model(model)
    if entry is None or entry.sha256 != found:
        raise BadInput(
            "the manifest beside this .keras file is of another one",
            where=str(manifest_path),
            expected=f"{model.name} with sha256 {found}",
            got=", ".join(f"{name} {file.sha256}" for name, file in manifest.files.items()),
            next_step=where,
        )
    return _Opened(model, found, RuntimeName.keras, manifest.image, manifest.labels)
