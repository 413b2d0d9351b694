"""Measure what each step from Keras to a runtime did to the answers, from recordings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.trace import StepKind, TraceStep
from pipeline.metrics import confusion_matrix
from pipeline.parity.align import align
from pipeline.runtimes.recording import Recording


@dataclass(frozen=True)
class Recorded:
    """Hold the recording of one step, and the place of the step it follows."""

    kind: StepKind
    name: str
    recording: Recording
    before: int | None


def trace_steps(recorded: Sequence[Recorded], critical: tuple[str, ...]) -> tuple[TraceStep, ...]:
    """Compare every recording with the one before and with the first, which is Keras'.

    Raises:
        BadInput: the recordings are of other images, labels, preprocessing or truth.
    """
    first = recorded[0].recording
    aligned = [align(first, one.recording) for one in recorded]
    rows = [pair.candidate for pair in aligned]
    steps = []
    for place, one in enumerate(recorded):
        facts, before = one.recording.facts, rows[one.before or 0]
        steps.append(
            TraceStep(
                kind=one.kind,
                name=one.name,
                before=one.before,
                model_sha256=facts.model_sha256,
                runtime=facts.runtime,
                runtime_version=facts.runtime_version,
                host=facts.host,
                flips=_flips(before, rows[place]),
                keras_flips=_flips(rows[0], rows[place]),
                mean_difference=_mean_difference(before, rows[place]),
                keras_mean_difference=_mean_difference(rows[0], rows[place]),
                **_against_labels(aligned[0].truth, rows[place], facts.labels, critical),
            )
        )
    return tuple(steps)


def _flips(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> int:
    return int((first.argmax(axis=1) != second.argmax(axis=1)).sum())


def _mean_difference(first: npt.NDArray[np.float32], second: npt.NDArray[np.float32]) -> float:
    return float(np.abs(first.astype(np.float64) - second).max(axis=1).mean())


def _against_labels(
    truth: npt.NDArray[np.int64],
    rows: npt.NDArray[np.float32],
    labels: tuple[str, ...],
    critical: tuple[str, ...],
) -> dict[str, Any]:
    known = truth >= 0
    if not known.any():
        return {"accuracy": None, "critical_recall": dict.fromkeys(critical)}
    confusion = confusion_matrix(truth[known], rows[known].argmax(axis=1), len(labels))
    images, hits = confusion.sum(axis=1), confusion.diagonal()
    places = {name: labels.index(name) for name in critical}
    return {
        "accuracy": float(hits.sum() / images.sum()),
        "critical_recall": {
            name: float(hits[k] / images[k]) if images[k] else None for name, k in places.items()
        },
    }
