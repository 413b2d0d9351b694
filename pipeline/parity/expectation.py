"""Say which checks the gates make, by running them on made-up answers."""

from __future__ import annotations

import numpy as np

from pipeline.contract.labels import Labels
from pipeline.contract.noise import MeasuredNoise, NoiseFloor, NoiseLevel
from pipeline.contract.normalization import Normalization
from pipeline.contract.verdict import Check
from pipeline.parity.judge import judge_recordings
from pipeline.parity.reference import reference_checks
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording, make_recording

_NO_HASH = "0" * 64
_SURE = 0.75
_UNKNOWN = -1


def expected_checks(
    labels: Labels, thresholds: Thresholds, *, unlabelled: bool, noise: bool = False
) -> tuple[Check, ...]:
    """Return the checks of the reference, numbers and task gates, in their order.

    The gates themselves make them, of one made-up image a class, so that a check that is added to
    a gate is expected from then on. Names, units and comparisons are those of any verdict under
    these thresholds; values and evidence mean nothing.

    Args:
        labels: of the model; `critical` are gated one by one.
        thresholds: the limits.
        unlabelled: whether the images are declared to have no labels.
        noise: whether the reference's own noise is measured.
    """
    asked = labels.critical if not unlabelled else ()
    # No more classes than the names of the checks depend on: there may be thousands.
    names = [*asked, *(name for name in labels.names if name not in asked)]
    recording = _recording(tuple(names[: max(2, len(asked))]), unlabelled=unlabelled)
    return judge_recordings(
        recording,
        recording,
        thresholds,
        critical=asked,
        unlabelled=unlabelled,
        noise=_noise(recording) if noise else None,
        before=tuple(
            reference_checks(
                _recording(labels.names[:2], unlabelled=unlabelled),
                Normalization(),
                (),
                thresholds,
            )
        ),
    ).checks


def _noise(recording: Recording) -> MeasuredNoise:
    level = NoiseLevel(pixel_steps=1.0, agreement=1.0, mean_difference=0.0)
    ids = tuple(map(str, recording.image_ids))
    floor = NoiseFloor(images=len(ids), seed=0, levels=(level,))
    return MeasuredNoise(image_ids=ids, floor=floor)


def _recording(labels: tuple[str, ...], *, unlabelled: bool) -> Recording:
    count = len(labels)
    probabilities = np.full((count, count), (1 - _SURE) / (count - 1), np.float32)
    np.fill_diagonal(probabilities, _SURE)
    return make_recording(
        runtime="expected",
        runtime_version="",
        model_sha256=_NO_HASH,
        image_contract_sha256=_NO_HASH,
        labels=labels,
        dataset_sha256=_NO_HASH,
        split="expected",
        threads=1,
        host="",
        latencies_ms=np.zeros(count, np.float64),
        image_ids=np.array([f"{row:064x}" for row in range(count)]),
        truth=np.full(count, _UNKNOWN) if unlabelled else np.arange(count),
        probabilities=probabilities,
    )
