"""Draw labelled images again, class by class, and measure what has no interval of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.metrics import calibration_bins

RESAMPLES = 2000
SEED = 0
_CHUNK = 100

Truth = npt.NDArray[np.int64]
Probabilities = npt.NDArray[np.float32]
Weights = npt.NDArray[np.float64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Resampled:
    """Hold one model's figures on each resample.

    auc: float64 (resamples, classes), one against the rest, NaN for a class that has none.
    calibration_error: float64 (resamples,).
    """

    auc: Floats
    calibration_error: Floats

    @property
    def mean_auc(self) -> Floats:
        """Return the mean over the classes that have one, float64 (resamples,)."""
        there = ~np.isnan(self.auc).any(axis=0)
        return np.asarray(self.auc[:, there].mean(axis=1))


def resample(
    truth: Truth, answers: list[Probabilities], *, resamples: int = RESAMPLES, seed: int = SEED
) -> list[Resampled]:
    """Measure several models on the same resamples, stratified by true class.

    Args:
        truth: int64 (n,), class indices.
        answers: of each model float32 (n, classes).
        resamples: how often the images are drawn.
        seed: of the draws; the same seed and images give the same figures.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13.
    """
    classes = answers[0].shape[1]
    counts = np.bincount(truth, minlength=classes)
    has_auc = [k for k in range(classes) if 0 < counts[k] < len(truth)]
    ranked = [[_Ranked.of(truth == k, one[:, k]) for k in has_auc] for one in answers]
    gaps = [_calibration_gaps(truth, one) for one in answers]
    auc = [np.full((resamples, classes), np.nan) for _ in answers]
    errors = [np.empty(resamples) for _ in answers]
    for rows, weights in _draws(truth, resamples, seed):
        for place in range(len(answers)):
            for k, one in zip(has_auc, ranked[place], strict=True):
                auc[place][rows, k] = one.areas(weights)
            errors[place][rows] = np.abs(weights @ gaps[place]).sum(axis=1) / len(truth)
    return [Resampled(*pair) for pair in zip(auc, errors, strict=True)]


@dataclass(frozen=True)
class _Ranked:
    """Hold one class's images by descending score; `ends` are the last of equal scores."""

    order: npt.NDArray[np.int64]
    positive: npt.NDArray[np.bool_]
    ends: npt.NDArray[np.int64]

    @classmethod
    def of(cls, positive: npt.NDArray[np.bool_], score: Probabilities) -> _Ranked:
        order = np.argsort(-score, kind="stable")
        ranked = score[order]
        ends = np.flatnonzero(np.append(ranked[1:] != ranked[:-1], True))
        return cls(order, positive[order], ends)

    def areas(self, weights: Weights) -> Floats:
        """Return the area under the ROC curve by the trapezoidal rule for each row of weights."""
        ranked = weights[:, self.order]
        hits = np.cumsum(ranked * self.positive, axis=1)[:, self.ends]
        misses = np.cumsum(ranked * ~self.positive, axis=1)[:, self.ends]
        before_hits = np.pad(hits, ((0, 0), (1, 0)))[:, :-1]
        before_misses = np.pad(misses, ((0, 0), (1, 0)))[:, :-1]
        areas = ((misses - before_misses) * (hits + before_hits) / 2).sum(axis=1)
        return np.asarray(areas / (hits[:, -1] * misses[:, -1]))


def _draws(truth: Truth, resamples: int, seed: int) -> Iterator[tuple[slice, Weights]]:
    """Yield how often each image is drawn, float64 (rows, n), each class keeping its number."""
    random = np.random.default_rng(seed)
    members = [np.flatnonzero(truth == k) for k in np.unique(truth)]
    for start in range(0, resamples, _CHUNK):
        rows = slice(start, min(start + _CHUNK, resamples))
        weights = np.empty((rows.stop - rows.start, len(truth)))
        for images in members:
            share = np.full(len(images), 1 / len(images))
            weights[:, images] = random.multinomial(len(images), share, size=len(weights))
        yield rows, weights


def _calibration_gaps(truth: Truth, probabilities: Probabilities) -> Floats:
    """Return confidence minus correctness of each image in the column of its bin, (n, bins)."""
    confidence, correct, which = calibration_bins(truth, probabilities)
    gaps = np.zeros((len(truth), int(which.max()) + 1))
    gaps[np.arange(len(truth)), which] = confidence - correct
    return gaps
