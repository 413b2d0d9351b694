"""Collect the measured values that no threshold judges."""

from __future__ import annotations

from typing import Any

import numpy as np

from pipeline.metrics import balanced_accuracy
from pipeline.parity.answers import Answers
from pipeline.parity.numbers import largest_differences
from pipeline.parity.statistics import wilson_95
from pipeline.runtimes.recording import Recording, RecordingFacts

_LISTED_FLIPS = 20


def origin(recording: Recording) -> dict[str, Any]:
    """Say which model answered, through which runtime; `recording_sha256` pins the answers."""
    facts = recording.facts
    return {
        "runtime": facts.runtime,
        "runtime_version": facts.runtime_version,
        "model_sha256": facts.model_sha256,
        "recording_sha256": facts.digest(),
        "threads": facts.threads,
        "host": facts.host,
    }


def common_figures(reference: RecordingFacts, candidate: RecordingFacts) -> dict[str, Any]:
    """Return what does not depend on the answers: images, latency, notes as data."""
    # Such a verdict says nothing about an export.
    own = (reference.runtime, reference.model_sha256) == (
        candidate.runtime,
        candidate.model_sha256,
    )
    return {
        "images": reference.count,
        "dataset_sha256": reference.dataset_sha256,
        "split": reference.split,
        "self_comparison": own,
        "notes": [{"kind": "self_comparison"}] if own else [],
        "latency_ms": {
            side: {"p50": facts.latency_ms_p50, "p90": facts.latency_ms_p90}
            for side, facts in (("reference", reference), ("candidate", candidate))
        },
    }


def answer_figures(answers: Answers, critical: tuple[str, ...]) -> dict[str, Any]:
    """Measure finite answers: differences, agreement, flips, and figures against the labels."""
    apart = largest_differences(answers.pair)
    agreed, total = int(answers.agreed.sum()), len(answers.agreed)
    figures: dict[str, Any] = {
        "labelled_images": int(answers.labelled.sum()),
        # Of each image the largest over its classes; then over the images.
        "probability_difference": {
            "largest": float(apart.max()),
            "p99": float(np.percentile(apart, 99)),
            "mean": float(apart.mean()),
        },
        "top1_agreement": {
            "share": agreed / total,
            "images": agreed,
            "wilson_95": list(wilson_95(agreed, total)),
        },
        "ties": {
            "reference": int(answers.reference.tied.sum()),
            "candidate": int(answers.candidate.tied.sum()),
        },
        "flips": {"count": total - agreed, "examples": _flips(answers)},
    }
    if answers.labelled.any():
        figures |= _labelled_figures(answers, critical)
    return figures


def _labelled_figures(answers: Answers, critical: tuple[str, ...]) -> dict[str, Any]:
    total = int(answers.labelled.sum())
    sides = {"reference": answers.reference, "candidate": answers.candidate}
    images = answers.reference.confusion.sum(axis=1)
    return {
        "accuracy": {
            name: {
                "share": side.hits / total,
                "images": side.hits,
                "wilson_95": list(wilson_95(side.hits, total)),
            }
            for name, side in sides.items()
        },
        "paired": answers.paired(answers.labelled).counts(),
        "balanced_accuracy": {
            name: balanced_accuracy(side.confusion) for name, side in sides.items()
        },
        "recall": {
            label: {
                "images": int(images[k]),
                "critical": label in critical,
                **{
                    name: int(side.confusion[k, k]) / int(images[k]) if images[k] else None
                    for name, side in sides.items()
                },
            }
            for k, label in enumerate(answers.pair.labels)
        },
        "confusion": {name: side.confusion.tolist() for name, side in sides.items()},
    }


def _flips(answers: Answers) -> list[dict[str, Any]]:
    pair, labels = answers.pair, answers.pair.labels
    listed: list[dict[str, Any]] = []
    for row in np.flatnonzero(~answers.agreed).tolist():
        was = int(answers.reference.chosen[row])
        became = int(answers.candidate.chosen[row])
        truth = int(pair.truth[row])
        listed.append(
            {
                "image_id": str(pair.image_ids[row]),
                "reference": labels[was],
                "candidate": labels[became],
                "truth": labels[truth] if truth >= 0 else None,
                # How much surer the reference was of its own class than of the candidate's.
                "margin": float(pair.reference[row, was] - pair.reference[row, became]),
            }
        )
    listed.sort(key=lambda flip: (-flip["margin"], flip["image_id"]))
    return listed[:_LISTED_FLIPS]
