"""Calibrate a classifier by temperature scaling, and measure its calibration error; pure functions.

Source: Guo et al. 2017, On Calibration of Modern Neural Networks, arXiv 1706.04599.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.contract.calibration import (
    Calibration,
    CalibrationChange,
    CalibrationFigures,
    ReliabilityBin,
)
from pipeline.metrics import Probabilities, Truth, expected_calibration_error, softmax

Floats = npt.NDArray[np.float64]

# Beyond them a temperature says that something else is wrong than the confidence.
TEMPERATURES = (0.1, 10.0)
BINS = 15
RESAMPLES = 1000
SEED = 0
# Halvings of the logarithm of the range: far below the step of float32.
_HALVINGS = 60
_CHUNK = 100
_TAILS = (0.025, 0.975)
# A probability that float32 has no number for counts as its smallest normal one.
_SMALLEST = float(np.finfo(np.float32).tiny)


@dataclass(frozen=True)
class Temperature:
    """Hold a fitted temperature; `at_limit` where the best one lies beyond `TEMPERATURES`."""

    value: float
    at_limit: bool


@dataclass(frozen=True)
class Answers:
    """Hold answers to labelled images: truth int64 (n,), probabilities float32 (n, classes)."""

    truth: Truth
    probabilities: Probabilities


def fit_temperature(truth: Truth, probabilities: Probabilities) -> Temperature:
    """Return the temperature that minimizes the negative log-likelihood of labelled images.

    The loss is convex in 1 / temperature, so its derivative has one zero, which is bisected. The
    labels are smoothed as if one more image had been answered at random: where all are answered
    right, the plain likelihood would have no largest value but at a temperature of 0.

    Args:
        truth: int64 (n,), class indices, n at least 1.
        probabilities: float32 (n, classes), 0 to 1; their logarithms are the logits but for a
            constant of each row.

    Raises:
        ValueError: there is no image, or a probability is not finite.

    Source: Guo et al. 2017, section 4.2; for the smoothed labels Platt 1999, Probabilistic Outputs
    for Support Vector Machines, section 2.2.
    """
    if len(truth) == 0 or not np.isfinite(probabilities).all():
        raise ValueError("a temperature is fitted on finite answers to at least one image")
    logits, count = _logits(probabilities), len(truth)
    wanted = np.full(probabilities.shape, 1 / probabilities.shape[1])
    wanted[np.arange(count), truth] += count
    wanted /= count + 1

    def slope(inverse: float) -> float:
        return float(((softmax(logits * inverse) - wanted) * logits).sum())

    coldest, hottest = TEMPERATURES
    low, high = math.log(1 / hottest), math.log(1 / coldest)
    if slope(math.exp(high)) <= 0:
        return Temperature(coldest, True)
    if slope(math.exp(low)) >= 0:
        return Temperature(hottest, True)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if slope(math.exp(middle)) < 0:
            low = middle
        else:
            high = middle
    return Temperature(math.exp(-(low + high) / 2), False)


def scaled(probabilities: Probabilities, temperature: float) -> Probabilities:
    """Return what a model answers whose logits are divided by `temperature`; float32, as given."""
    return softmax(_logits(probabilities) / temperature).astype(np.float32)


def calibration(
    temperature: Temperature, before: Mapping[str, Answers], after: Mapping[str, Answers]
) -> Calibration:
    """Measure the calibration error of each split before and after scaling.

    Args:
        temperature: what the model was scaled by, fitted on the split `validation`.
        before: the answers of the model as it was trained, by split.
        after: those of the scaled model to the same images.
    """
    return Calibration(
        temperature=temperature.value,
        images=len(before["validation"].truth),
        at_limit=temperature.at_limit,
        splits={
            split: CalibrationChange(
                temperature=temperature.value,
                before=calibration_figures(answers.truth, answers.probabilities),
                after=calibration_figures(after[split].truth, after[split].probabilities),
            )
            for split, answers in before.items()
        },
    )


def calibration_figures(
    truth: Truth, probabilities: Probabilities, *, resamples: int = RESAMPLES, seed: int = SEED
) -> CalibrationFigures:
    """Measure the expected calibration error of the most probable class.

    The square of a bin's gap is measured too large by the variance of its mean, which is taken off.
    The interval is the basic bootstrap's of that square, of images drawn again with their bins.

    Args:
        truth: int64 (n,), class indices, n at least 1.
        probabilities: float32 (n, classes), 0 to 1.
        resamples: how often the images are drawn.
        seed: of the draws; the same seed and images give the same figures.

    Source: Kumar, Liang & Ma 2019, Verified Uncertainty Calibration, arXiv 1909.10155, section 5,
    for bins of equal mass and the debiased estimator; Davison & Hinkley 1997, Bootstrap Methods and
    their Application, section 5.2, for the interval.
    """
    count = len(truth)
    confidence = probabilities.max(axis=1).astype(np.float64)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    which = _equal_mass(confidence)
    member = np.zeros((count, int(which.max()) + 1))
    member[np.arange(count), which] = 1
    gaps = confidence - correct
    plain, plain_square, square = (float(v[0]) for v in _errors(np.ones((1, count)), member, gaps))
    low, high = np.quantile(_resampled(member, gaps, resamples, seed), _TAILS)
    # In the world of the resamples the plain square is the truth.
    chosen = probabilities[np.arange(count), truth].astype(np.float64)
    return CalibrationFigures(
        images=count,
        loss=float(-np.log(np.maximum(chosen, _SMALLEST)).mean()),
        equal_width=expected_calibration_error(truth, probabilities, BINS),
        equal_mass=plain,
        debiased=_root(square),
        low=_root(min(square, square + plain_square - float(high))),
        high=min(1.0, _root(max(square, square + plain_square - float(low)))),
        bins=tuple(
            ReliabilityBin(
                images=int((which == k).sum()),
                confidence=float(confidence[which == k].mean()),
                accuracy=float(correct[which == k].mean()),
            )
            for k in np.unique(which).tolist()
        ),
    )


def _equal_mass(confidence: Floats) -> npt.NDArray[np.int64]:
    """Return each image's bin: by rank, so that the bins differ by one image at most."""
    count = len(confidence)
    bins = np.empty(count, np.int64)
    bins[np.argsort(confidence, kind="stable")] = np.arange(count) * min(BINS, count) // count
    return bins


def _errors(weights: Floats, member: Floats, gaps: Floats) -> tuple[Floats, Floats, Floats]:
    """Return of each row of weights, (rows,), the mean gap of the bins, its square, and unbiased.

    Args:
        weights: float64 (rows, n), how often each image is drawn.
        member: float64 (n, bins), 1 in the column of an image's bin.
        gaps: float64 (n,), confidence minus correctness.
    """
    images = weights @ member
    filled = np.maximum(images, 1)
    mean = (weights * gaps) @ member / filled
    spread = np.maximum(0.0, (weights * gaps**2) @ member / filled - mean**2)
    share = images / images.sum(axis=1, keepdims=True)
    square = mean**2
    # A bin of one image says nothing of its variance, and so nothing of its gap.
    known = np.where(images > 1, square - spread / np.maximum(images - 1, 1), 0.0)
    return (
        (share * np.abs(mean)).sum(axis=1),
        (share * square).sum(axis=1),
        (share * known).sum(axis=1),
    )


def _resampled(member: Floats, gaps: Floats, resamples: int, seed: int) -> Floats:
    random, count = np.random.default_rng(seed), len(gaps)
    found = np.empty(resamples)
    for start in range(0, resamples, _CHUNK):
        rows = found[start : start + _CHUNK]
        weights = random.multinomial(count, np.full(count, 1 / count), size=len(rows))
        rows[:] = _errors(weights.astype(np.float64), member, gaps)[2]
    return found


def _root(square: float) -> float:
    return math.sqrt(max(0.0, square))


def _logits(probabilities: Probabilities) -> Floats:
    return np.log(np.maximum(probabilities.astype(np.float64), _SMALLEST))
