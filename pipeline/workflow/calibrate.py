"""Calibrate a copy of a Keras model that was trained elsewhere, on the run's validation images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from pipeline.child import ask_child
from pipeline.classifier.facts import ModelKind
from pipeline.classifier.inspect import inspect_model
from pipeline.contract.choices import HELD_OUT, Split
from pipeline.contract.files import resolved
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.images import images_of_dataset
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.contract.sealed import is_whole, seal
from pipeline.errors import BadInput
from pipeline.metrics import Probabilities
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import record
from pipeline.training.calibrate import CopyAnswer, CopyRequest
from pipeline.training.calibration import (
    Answers,
    Temperature,
    calibration,
    fit_temperature,
    scaled,
)
from pipeline.workflow.source import KerasSource

_CHILD = "pipeline.training.calibrate:copy_child"
# How far a copy's probabilities may be from those of the model, scaled: rounding of float32.
_TOLERANCE = 1e-3
_TWO_CLASSES = 2
# Raise it when a copy of the same model and temperature becomes another file.
_REVISION = 1


def calibrated_source(source: KerasSource, run: RunDir, *, report: Report = silent) -> KerasSource:
    """Return the source with a calibrated copy of its model in place of it.

    The temperature is fitted on what the model answers to the labelled validation images, and
    divided into the last layer of a copy, which the run keeps. The copy is then asked, and refused
    unless it answers as the model does, scaled. The caller holds `run.lock()`.

    Raises:
        BadInput: the model is calibrated already or is a SavedModel, no validation image has a
            label, or the last layer cannot take a temperature.
        EnvironmentProblem: Keras could not run.
    """
    _check(source)
    before = _held_out(source, run, report)
    known = before.get(Split.validation.value)
    if known is None:
        raise BadInput(
            "--calibrate needs validation images with labels, and there is none",
            where=str(run.dataset),
            expected="images whose true class is known, to compare the model's confidence with",
            next_step="pipeline data prepare SRC on labelled images; or leave --calibrate out",
        )
    for answers in before.values():
        refuse_saturated(answers.probabilities, where=str(source.path))
    temperature = fit_temperature(known.truth, known.probabilities)
    path = _copy(source, temperature, run, report)
    copy = replace(source, path=path, sha256=sha256_file(path), facts=inspect_model(path))
    after = _held_out(copy, run, report)
    for split, one in after.items():
        expected = scaled(before[split].probabilities, temperature.value)
        off = float(np.abs(expected - one.probabilities).max())
        if off > _TOLERANCE:
            raise BadInput(
                "a calibrated copy of the model does not answer as the model does, scaled",
                where=str(source.path),
                expected=f"probabilities within {_TOLERANCE:g}",
                got=f"{off:.3g} on the {split} images",
                next_step="leave --calibrate out, or calibrate the model where it was made",
            )
    found = calibration(temperature, before, after)
    return replace(
        copy, calibration=found.model_copy(update={"uncalibrated_sha256": source.sha256})
    )


def refuse_saturated(probabilities: Probabilities, *, where: str) -> None:
    """Refuse answers of two classes whose logits float32 has lost.

    One sigmoid's other class is 1 - p, which is exactly 0 from a logit of about 17 on.

    Args:
        probabilities: float32 (images, classes).
        where: the model, for messages.

    Raises:
        BadInput: there are two classes and one of them got exactly 0.
    """
    lost = int((probabilities == 0.0).any(axis=1).sum())
    if probabilities.shape[1] == _TWO_CLASSES and lost:
        raise BadInput(
            "the model is too sure of its two classes for a temperature to be fitted",
            where=where,
            expected="probabilities above 0, from which the logits follow",
            got=f"exactly 0 on {lost} of {len(probabilities)} images",
            next_step="leave --calibrate out, or calibrate the model where it was made",
        )


def calibrated_copy(run: RunDir, manifest: BundleManifest) -> Path | None:
    """Return the copy that a bundle was made from; None where the run does not have it."""
    made = manifest.calibration
    if made is None or made.uncalibrated_sha256 is None:
        return None
    parent = manifest.parents.get("model")
    found = (path for path in run.calibrated.glob("*.keras") if sha256_file(path) == parent)
    return next(found, None)


def _check(source: KerasSource) -> None:
    if source.calibration is not None:
        raise BadInput(
            "--calibrate would do nothing: the model is calibrated already",
            where=str(source.path),
            got=f"temperature {source.calibration.temperature:.4g}, says its manifest",
            next_step="leave --calibrate out",
        )
    if source.facts is not None and source.facts.kind is ModelKind.saved_model:
        raise BadInput(
            "--calibrate cannot change a SavedModel, whose weights are fixed in its graph",
            where=str(source.path),
            expected="a .keras or .h5 file",
            next_step="where the model was made: model.save('model.keras')",
        )


def _held_out(source: KerasSource, run: RunDir, report: Report) -> dict[str, Answers]:
    """Return what a model answers to the labelled images of each split that has any."""
    found = {}
    for split in HELD_OUT:
        images = images_of_dataset(source.dataset, split)
        if images.images and not images.unlabelled:
            recording = record(source.record_request(images), run, report=report).recording
            rows = recording.truth >= 0
            found[split.value] = Answers(recording.truth[rows], recording.probabilities[rows])
    return found


def _copy(source: KerasSource, temperature: Temperature, run: RunDir, report: Report) -> Path:
    spec = source.classifier_spec()
    decided_by = {
        "revision": _REVISION,
        "model": spec.sha256,
        "image": spec.image.digest(),
        "temperature": temperature.value,
    }
    path = run.calibrated / f"{sha256_json(decided_by)[:16]}.keras"
    if not is_whole(path, report):
        path.parent.mkdir(parents=True, exist_ok=True)
        request = CopyRequest(
            classifier=spec.model_copy(update={"path": resolved(spec.path)}),
            temperature=temperature.value,
            out=resolved(path),
        )
        ask_child(_CHILD, request, CopyAnswer, log=run.log("calibrate"), report=report)
        seal(path)
    return path
