"""Record models and judge recordings for the commands `record` and `parity`."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.bundle import GOLDENS_FILE, tflite_file
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.goldens import load_goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.corridor.source import keras_source
from pipeline.errors import BadInput
from pipeline.parity.golden_gate import golden_recording, judge_goldens
from pipeline.parity.judge import judge
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import record
from pipeline.runtimes.recording import Recording
from pipeline.tflite.metadata import described_model


def record_model(
    run: RunDir,
    runtime: RuntimeName,
    model: Path | None,
    split: Split,
    *,
    threads: int = 1,
    report: Report = silent,
) -> tuple[Recording, Path]:
    """Record one model on a split of the run's dataset.

    Keras takes the run's own model where none is given. What a `.tflite` expects (size,
    normalization, labels) is read from the file itself.

    Raises:
        BadInput: the model or the dataset is missing or refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    if runtime is RuntimeName.keras:
        source = keras_source(run, model)
        return record(
            runtime,
            source.path,
            source.dataset,
            split,
            run,
            image=source.image,
            labels=source.labels,
            threads=threads,
            report=report,
        )
    if model is None:
        raise BadInput(f"{runtime} needs a .tflite file or a bundle", next_step="pipeline export")
    file = tflite_file(model)
    described = described_model(file)
    dataset = DatasetManifest.load(run.dataset)
    return record(
        runtime,
        file,
        dataset,
        split,
        run,
        image=described.image,
        labels=described.labels,
        threads=threads,
        report=report,
    )


def judge_model(
    run: RunDir, model: Path, thresholds: Thresholds, *, report: Report = silent
) -> Verdict:
    """Judge a `.tflite` file or a bundle against the run's Keras model, on validation.

    Raises:
        BadInput: something is missing, refused, or belongs to another model.
    """
    # The cheap refusals come before the slow Keras half.
    file = tflite_file(model)
    described_model(file)
    reference, _ = record_model(run, RuntimeName.keras, None, Split.validation, report=report)
    candidate, _ = record_model(run, RuntimeName.litert, file, Split.validation, report=report)
    critical = DatasetManifest.load(run.dataset).labels.critical
    return judge(reference, candidate, thresholds, critical=critical)


def judge_recordings(
    reference: Path, candidate: Path, thresholds: Thresholds, *, critical: tuple[str, ...] | None
) -> Verdict:
    """Judge one recording file against another, or against the goldens of a bundle folder.

    Without `critical`, melanoma is critical where the labels have it.

    Raises:
        BadInput: a file is no recording, the bundle has no goldens, or the two cannot be compared.
    """
    if reference.is_dir():
        return _judge_goldens(reference, candidate, critical)
    first, second = Recording.load(reference), Recording.load(candidate)
    if critical is None:
        critical = tuple(name for name in ("MEL",) if name in first.facts.labels)
    return judge(first, second, thresholds, critical=critical)


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
