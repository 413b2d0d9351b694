"""Decide which known mistake, if any, predicts what a runtime answered."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Found, Suspect
from pipeline.parity.thresholds import Thresholds

Float32 = npt.NDArray[np.float32]

# A mistake that is named leaves at most this share of the difference.
_LARGEST_REMAINDER = 0.5
# The chance that any mistake is named, or preferred to another, where it should not be.
_ERROR_RATE = 0.01
# Closer than this is what rounding does: no file of 8 or 16 bits is that near to another runtime.
_ROUNDING = 1e-4
# Below this mean distance nothing is looked for.
_SMALLEST = 5e-4


@dataclass(frozen=True)
class Prediction:
    """Hold what the runtime would have answered with a mistake.

    `right`, `candidate` and `predicted` are float32 (n, classes), row by row the same images: all
    that were scored with this mistake.
    """

    mistake: Mistake
    variant: str
    right: Float32
    candidate: Float32
    predicted: Float32
    order: tuple[str, ...] = ()


@dataclass(frozen=True)
class Decision:
    """Hold what was found: the suspects, likeliest first, and the ones that are named."""

    found: Found
    named: tuple[Mistake, ...]
    suspects: tuple[Suspect, ...]


def distances(first: Float32, second: Float32) -> npt.NDArray[np.float64]:
    """Return the total variation distance of each row, float64 (n,): half the sum over classes."""
    apart: npt.NDArray[np.float64] = np.abs(first.astype(np.float64) - second).sum(axis=1) / 2
    return apart


def decide(
    right: Float32,
    candidate: Float32,
    predictions: Sequence[Prediction],
    thresholds: Thresholds,
) -> Decision:
    """Compare the mistakes with each other and with none.

    Differences are taken to be Laplace distributed with an unknown scale, an image counting once,
    however many classes it has. The log-likelihood ratio of two mistakes is then n ln(D2 / D1),
    with D the mean distance. A mistake is named where it leaves at most half of the difference,
    gives another class than the runtime's on no more images than half of the flips or than the
    gates allow, and its ratio against no mistake makes up for having tried them all (Bonferroni).
    Others that are not worse by more than that are named with it.

    Args:
        right: float32 (n, classes), the model's answers, all images.
        candidate: float32 (n, classes), the runtime's.
        predictions: one for each variant of each mistake.
        thresholds: how far a runtime may be from the model without disagreeing.
    """
    needed = math.log(max(1, len(predictions)) / _ERROR_RATE)
    by_mistake: dict[Mistake, Suspect] = {}
    for one in predictions:
        suspect = _suspect(one, needed, thresholds)
        best = by_mistake.get(one.mistake)
        if best is None or _rank(suspect) < _rank(best):
            by_mistake[one.mistake] = suspect
    suspects = tuple(sorted(by_mistake.values(), key=_rank))
    clear = [suspect for suspect in suspects if suspect.clear]
    if clear:
        tied = {one.mistake for one in clear if _worse_by(clear[0], one) < needed}
        # The nearest comes first; of those that are equally near the one that is listed first.
        named = tuple(one.mistake for one in clear if one.mistake in tied)
        return Decision(Found.known, named, suspects)
    agrees = _agrees(right, candidate, thresholds)
    return Decision(Found.no_disagreement if agrees else Found.none_known, (), suspects)


def _suspect(one: Prediction, needed: float, thresholds: Thresholds) -> Suspect:
    before = float(distances(one.right, one.candidate).mean())
    after = float(distances(one.predicted, one.candidate).mean())
    chosen, count = one.candidate.argmax(axis=1), len(one.right)
    flipped = one.right.argmax(axis=1) != chosen
    agreed = one.predicted.argmax(axis=1) == chosen
    flips, left = int(flipped.sum()), int((~agreed).sum())
    ratio = count * math.log(max(before, _ROUNDING) / max(after, _ROUNDING))
    return Suspect(
        mistake=one.mistake,
        variant=one.variant,
        images=count,
        flips=flips,
        flips_explained=int((flipped & agreed).sum()),
        agreed=int(agreed.sum()),
        distance=after,
        right_distance=before,
        log_likelihood_ratio=ratio,
        clear=(
            before >= _SMALLEST
            and after <= _LARGEST_REMAINDER * before
            and left <= max(flips // 2, _allowed(count, thresholds))
            and ratio >= needed
        ),
        order=one.order,
    )


def _rank(suspect: Suspect) -> tuple[float, int, int]:
    """Sort by what is left of the difference, then by flips, then in the order of `Mistake`."""
    left = max(suspect.distance, _ROUNDING) / max(suspect.right_distance, _ROUNDING)
    return (left, suspect.flips - suspect.flips_explained, list(Mistake).index(suspect.mistake))


def _worse_by(best: Suspect, other: Suspect) -> float:
    count = min(best.images, other.images)
    return count * math.log(max(other.distance, _ROUNDING) / max(best.distance, _ROUNDING))


def _agrees(right: Float32, candidate: Float32, thresholds: Thresholds) -> bool:
    flips = int((right.argmax(axis=1) != candidate.argmax(axis=1)).sum())
    apart = np.abs(right.astype(np.float64) - candidate).max(axis=1).mean()
    few = flips <= _allowed(len(right), thresholds)
    return few and float(apart) <= thresholds.max_mean_probability_difference


def _allowed(images: int, thresholds: Thresholds) -> int:
    """Return how many flips are no disagreement; as in the gates, never less than one."""
    return max(1, math.floor((1 - thresholds.min_top1_agreement) * images))
