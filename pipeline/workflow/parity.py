"""Judge a model or a recording against its reference."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.bundle import GOLDENS_FILE, tflite_file
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.goldens import load_goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.errors import BadInput
from pipeline.parity.golden_gate import golden_recording, judge_goldens
from pipeline.parity.judge import judge
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.recording import Recording
from pipeline.tflite.metadata import described_model
from pipeline.workflow.record import record_model


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
