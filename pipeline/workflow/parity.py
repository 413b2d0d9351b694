"""Judge a model against Keras, or a recording against another one or a bundle's goldens."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.bundle import GOLDENS_FILE, MODEL_FILE, load_bundle
from pipeline.contract.goldens import load_goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.malignancy import proposed_critical
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.parity.golden_gate import golden_recording, judge_goldens
from pipeline.parity.judge import judge_recordings
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.metadata import DescribedModel, described_model
from pipeline.workflow.calibrate import calibrated_copy
from pipeline.workflow.judge import Candidate, judge
from pipeline.workflow.keras_model import StatedModel
from pipeline.workflow.source import (
    KerasSource,
    check_parent,
    keras_source,
    recorded_model,
)


def judge_model(
    run: RunDir,
    model: Path,
    thresholds: Thresholds,
    *,
    critical: tuple[str, ...] | None = None,
    keras: Path | None = None,
    fresh: bool = False,
    report: Report = silent,
) -> Verdict:
    """Judge a bundle, or a bare `.tflite` file, against its Keras model on validation.

    A bundle goes through the same gates and checks as in its export; of a bare file what can be
    checked without a manifest is, and the verdict lists what could not.

    Args:
        run: holds the Keras model, the dataset, recordings and logs.
        model: a bundle folder or a `.tflite` file.
        thresholds: the limits.
        critical: labels whose recall is gated; the model's own where None.
        keras: the Keras model; the run's own where None.
        fresh: record anew what was recorded before.
        report: receives progress.

    Raises:
        BadInput: something is missing, refused, or belongs to another model.
        EnvironmentProblem: a runtime could not run.
    """
    # The cheap refusals come before the slow Keras half.
    candidate = open_candidate(model)
    if keras is None and candidate.manifest is not None:
        keras = calibrated_copy(run, candidate.manifest)
    source = keras_source(run, keras, stated_of(candidate, keras or run.model))
    if candidate.manifest is not None:
        check_parent(
            candidate.manifest,
            source,
            model,
            next_step="give its Keras model with --model, or the --run-dir of the run that made it",
        )
    inputs = {
        "model": source.sha256,
        "dataset": source.dataset.digest(),
        "image": candidate.described.image.digest(),
        "normalization": source.normalization.digest(),
        "labels": candidate.described.labels.digest(),
        "thresholds": thresholds.digest(),
    }
    return judge(
        candidate,
        source,
        thresholds,
        run,
        critical=_critical(candidate, source) if critical is None else critical,
        inputs=inputs,
        fresh=fresh,
        report=report,
    )


def judge_recording_files(
    reference: Path, candidate: Path, thresholds: Thresholds, *, critical: tuple[str, ...] | None
) -> Verdict:
    """Judge one recording file against another, or against the goldens of a bundle folder.

    Without `critical`, the labels of known malignancies are critical.

    Raises:
        BadInput: a file is no recording, the bundle has no goldens, the two cannot be compared, or
            goldens are to be judged by what they do not have.
    """
    if reference.is_dir():
        if thresholds.strict:
            raise BadInput(
                "--strict would do nothing with goldens, which have no task figures",
                expected="a recording of a split as --reference",
                got=f"--strict and the bundle {reference}",
            )
        return _judge_goldens(reference, candidate, critical)
    first, second = Recording.load(reference), Recording.load(candidate)
    if critical is None:
        critical = proposed_critical(first.facts.labels)
    return judge_recordings(first, second, thresholds, critical=critical)


def open_candidate(model: Path) -> Candidate:
    """Open a bundle, checked against its manifest, or a bare `.tflite` file.

    Raises:
        BadInput: it is missing, damaged, or says too little about itself.
    """
    if not model.is_dir():
        return Candidate(model, inspect_file(model), described_model(model), None)
    manifest, file = load_bundle(model), model / MODEL_FILE
    described = DescribedModel(image=manifest.image, labels=manifest.labels)
    return Candidate(file, inspect_file(file), described, manifest)


def _critical(candidate: Candidate, source: KerasSource) -> tuple[str, ...]:
    labels = source.labels if candidate.manifest is None else candidate.manifest.labels
    return labels.critical


def stated_of(candidate: Candidate, keras: Path) -> StatedModel:
    """Return what a bundle records of its Keras model, so that nobody needs to state it again.

    Of a bare file, what its metadata says stands for what its model takes, unless the model says
    it itself: the reference gate notices where that is wrong.
    """
    if candidate.manifest is None and (keras.parent / "manifest.json").exists():
        return StatedModel()
    return recorded_model(candidate.manifest, candidate.described.image)


def _judge_goldens(bundle: Path, candidate: Path, critical: tuple[str, ...] | None) -> Verdict:
    if critical:
        raise BadInput(
            "a critical class cannot be judged on goldens, which have no true labels",
            expected="a recording of a split as --reference",
            got=f"--critical {' '.join(critical)} and the bundle {bundle}",
        )
    goldens = load_goldens(bundle)
    reference = golden_recording(goldens, goldens_sha256=sha256_file(bundle / GOLDENS_FILE))
    return judge_goldens(reference, Recording.load(candidate), tolerance=goldens.tolerance)
