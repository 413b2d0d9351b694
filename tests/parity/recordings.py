"""Recordings with known answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.runtimes.recording import Recording, make_recording

LABELS = ("MEL", "NV", "BCC")


def answers(chosen: Sequence[int], classes: int = 3, sure: float = 0.8) -> np.ndarray:
    """Give class `chosen` of each image the probability `sure`, the others the rest.

    Rows differ slightly from each other, so that the answers are not constant.
    """
    rows = np.full((len(chosen), classes), (1 - sure) / (classes - 1), np.float64)
    rows[np.arange(len(chosen)), list(chosen)] = sure
    nudge = np.linspace(0, 0.01, len(chosen))
    rows[np.arange(len(chosen)), list(chosen)] -= nudge
    rows[np.arange(len(chosen)), (np.array(chosen) + 1) % classes] += nudge
    return rows.astype(np.float32)


def recording(
    probabilities: np.ndarray,
    truth: Sequence[int],
    *,
    runtime: str = "keras",
    ids: Sequence[str] | None = None,
    labels: tuple[str, ...] = LABELS,
    **facts: Any,
) -> Recording:
    values: dict[str, Any] = {
        "runtime_version": "1.0",
        "model_sha256": (runtime.encode().hex() * 64)[:64],
        "image_contract_sha256": "c" * 64,
        "dataset_sha256": "d" * 64,
        "split": "validation",
        "threads": 1,
        "host": "test",
        "latencies_ms": np.full(len(probabilities), 5.0),
    }
    chosen_ids = ids if ids is not None else [f"{i:064x}" for i in range(len(probabilities))]
    return make_recording(
        runtime=runtime,
        labels=labels,
        image_ids=np.array(chosen_ids),
        truth=np.array(truth, dtype=np.int64),
        probabilities=probabilities.astype(np.float32),
        **(values | facts),
    )


def pair(
    truth: Sequence[int], reference: Sequence[int], candidate: Sequence[int], **facts: Any
) -> tuple[Recording, Recording]:
    """Return a Keras and a LiteRT recording that chose the given classes."""
    return (
        recording(answers(reference), truth, **facts),
        recording(answers(candidate), truth, runtime="litert", **facts),
    )
