"""Calibrate a model: at the end of its training, or a copy of one made elsewhere. Child only."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.classifier.inspect import inspect_model
from pipeline.classifier.load import load_keras_model
from pipeline.classifier.spec import ClassifierSpec, unchanged_sha256
from pipeline.classifier.temperature import fold_temperature
from pipeline.contract.base import Frozen
from pipeline.contract.calibration import Calibration
from pipeline.contract.choices import HELD_OUT, Split
from pipeline.contract.hashing import sha256_file
from pipeline.progress import Report
from pipeline.training.calibration import Answers, Temperature, calibration, fit_temperature


class CopyRequest(Frozen):
    """Ask for a copy of a model whose logits are divided by `temperature`, as the file `out`."""

    classifier: ClassifierSpec
    temperature: float
    out: Path


class CopyAnswer(Frozen):
    """Say the copy's SHA-256."""

    sha256: str


@dataclass(frozen=True)
class Scaled:
    """Hold what a model was scaled by, and what it answered before."""

    temperature: Temperature
    before: Mapping[Split, Answers]

    def compared_with(self, after: Mapping[Split, Answers]) -> Calibration:
        """Measure the calibration error before and after, by split.

        Args:
            after: what the scaled model answers, by split.
        """
        return calibration(
            self.temperature,
            {split.value: answers for split, answers in self.before.items()},
            {split.value: after[split] for split in self.before},
        )


def calibrate(
    model: Any, splits: Collection[Split], answers: Callable[[Any, Split, str], Answers]
) -> Scaled:
    """Scale a trained `keras.Model` by the temperature that its validation images ask for.

    Args:
        model: ends in one dense layer; its weights are changed in place.
        splits: those that have images, validation among them.
        answers: returns what a model answers to a split, told what for.
    """
    held_out = [split for split in HELD_OUT if split in splits]
    before = {split: answers(model, split, "calibrate on") for split in held_out}
    known = before[Split.validation]
    temperature = fit_temperature(known.truth, known.probabilities)
    fold_temperature(model, temperature.value, where="the trained model")
    return Scaled(temperature, before)


def copy_child(request: CopyRequest, report: Report) -> CopyAnswer:  # noqa: ARG001
    """Write a calibrated copy of a `.keras` or `.h5` file, as a `.keras` file.

    Raises:
        BadInput: the model is refused or changed, or its last layer cannot take a temperature.
    """
    from pipeline.training.model import save

    spec = request.classifier
    unchanged_sha256(spec.path, spec.sha256)
    kind, size = inspect_model(spec.path).kind, (spec.image.height_px, spec.image.width_px)
    model = load_keras_model(spec.path, kind, size)
    fold_temperature(model, request.temperature, where=str(spec.path))
    save(model, request.out)
    return CopyAnswer(sha256=sha256_file(request.out))
