"""Bound how far a candidate's shares are from its reference's on the same images.

A difference is candidate minus reference, so that a drop is negative. Intervals have a level of
95%; each of their bounds alone one of 97.5%. `docs/statistics.md` says why these intervals, and how
often the verdicts that follow from them are wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Self

import numpy as np
import numpy.typing as npt
from pydantic import JsonValue

from pipeline.parity.statistics import mcnemar_exact

Flags = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Interval = tuple[float, float]

# Of a single bound: half of the 5% that a two-sided interval leaves.
ALPHA = 0.025
Z_ALPHA = NormalDist().inv_cdf(1 - ALPHA)
RESAMPLES = 10_000
SEED = 0

# Halvings of an interval of at most 2: below the rounding of a float64.
_HALVINGS = 54
# Classes times resamples that are drawn at once.
_HELD = 200_000


@dataclass(frozen=True)
class PairedShares:
    """Hold on how many of `images`, at least 1, only one side is right."""

    images: int
    only_reference_right: int
    only_candidate_right: int

    def __post_init__(self) -> None:
        """Refuse counts that no set of images has.

        Raises:
            ValueError: a count is negative, or more images differ than there are.
        """
        lost, gained = self.only_reference_right, self.only_candidate_right
        if self.images < 1 or min(lost, gained) < 0 or lost + gained > self.images:
            raise ValueError(f"{lost} lost and {gained} gained of {self.images} images")

    @classmethod
    def of(cls, reference_right: Flags, candidate_right: Flags) -> Self:
        """Count two bool arrays of the same images, (n,) each, n at least 1.

        Raises:
            ValueError: the arrays are empty or of different lengths.
        """
        if reference_right.shape != candidate_right.shape or not len(reference_right):
            raise ValueError(f"{reference_right.shape} and {candidate_right.shape} are no pairs")
        return cls(
            len(reference_right),
            int((reference_right & ~candidate_right).sum()),
            int((candidate_right & ~reference_right).sum()),
        )

    @property
    def difference(self) -> float:
        """Return the share right of the candidate minus the reference's, -1 to 1."""
        return (self.only_candidate_right - self.only_reference_right) / self.images

    def interval_95(self) -> Interval:
        """Return the 95% interval of `difference`, see `score_interval_95`."""
        low, high = score_interval_95(
            np.array(self.only_reference_right),
            np.array(self.only_candidate_right),
            np.array(self.images),
        )
        return float(low), float(high)

    def mcnemar_exact_p(self) -> float:
        """Return the two-sided p-value of the exact McNemar test, 0 to 1."""
        return mcnemar_exact(self.only_reference_right, self.only_candidate_right)

    def counts(self) -> dict[str, JsonValue]:
        """Return the counts and the p-value, as evidence records them."""
        return {
            "only_reference_right": self.only_reference_right,
            "only_candidate_right": self.only_candidate_right,
            "mcnemar_exact_p": self.mcnemar_exact_p(),
        }


def score_interval_95(lost: Counts, gained: Counts, images: Counts) -> tuple[Floats, Floats]:
    """Return the 95% score interval of a difference of paired shares.

    It holds the differences that the score test does not reject, so it never leaves -1 to 1 and
    does not shrink to a point where nothing was lost or gained.

    Args:
        lost: int64, images that only the reference answers right; of any shape.
        gained: int64, images that only the candidate answers right.
        images: int64, all images, at least 1.

    Returns:
        The lower and the upper bound, float64 of the common shape.

    Source: Tango 1998, Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design, Statistics in Medicine 17(8), 891-908.
    """
    # The upper bound is minus the lower one of the two sides swapped.
    low, high = _lower(np.stack([lost, gained]), np.stack([gained, lost]), images)
    return low, -high


def score_statistic(lost: Counts, gained: Counts, images: Counts, difference: Floats) -> Floats:
    """Return how many standard errors the observed difference lies above `difference`.

    The standard error is the one under that difference, with the discordant share that is most
    likely then.

    Args:
        lost: as in `score_interval_95`.
        gained: as in `score_interval_95`.
        images: as in `score_interval_95`.
        difference: float64, above -1 and below 1, of the common shape.

    Source: Tango 1998, as in `score_interval_95`; Nam 1997, Establishing equivalence of two
    treatments and sample size requirements in matched-pairs design, Biometrics 53(4), 1422-1430.
    """
    linear = -(lost + gained) + (2 * images - gained + lost) * difference
    constant = -lost * difference * (1 - difference)
    root = np.sqrt(np.maximum(linear**2 - 8 * images * constant, 0))
    likely_lost = (root - linear) / (4 * images)
    variance = images * (2 * likely_lost + difference * (1 - difference))
    over = gained - lost - images * difference
    with np.errstate(divide="ignore", invalid="ignore"):
        scaled = over / np.sqrt(np.maximum(variance, 0))
    return np.where(variance > 0, scaled, np.where(over == 0, 0.0, np.copysign(np.inf, over)))


def _lower(lost: Counts, gained: Counts, images: Counts) -> Floats:
    observed = (gained - lost) / images
    low, high = np.full(observed.shape, -1.0), np.array(observed, np.float64)
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        rejected = score_statistic(lost, gained, images, middle) > Z_ALPHA
        low, high = np.where(rejected, middle, low), np.where(rejected, high, middle)
    return np.asarray(low)


def balanced_difference_95(
    images: Counts, lost: Counts, gained: Counts, *, seed: int = SEED, resamples: int = RESAMPLES
) -> Interval:
    """Return the 95% interval of the difference in balanced accuracy.

    A stratified paired bootstrap: each class's images are drawn again, the two answers to an image
    together, and the interval is that of the 2.5% and 97.5% quantiles. One image lost and one
    gained are added to what each class is drawn from, and the quantiles moved back by what that
    moves their centre. Without them a class that lost nothing among few images would be taken for
    one that can lose nothing.

    Args:
        images: int64 (classes,), at least 1 each; leave out the classes without images.
        lost: int64 (classes,), images that only the reference answers right.
        gained: int64 (classes,), images that only the candidate answers right.
        seed: of the draws; the same seed and counts give the same interval.
        resamples: how often each class is drawn.

    Raises:
        ValueError: there are no classes, or more images differ than there are.

    Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 8 and 13; the added
    images follow Agresti & Min 2005, Simple improved confidence intervals for comparing matched
    proportions, Statistics in Medicine 24(5), 729-740.
    """
    if gained.tolist() > lost.tolist():
        # The same draws for either side, so that swapping the two mirrors the interval.
        low, high = balanced_difference_95(images, gained, lost, seed=seed, resamples=resamples)
        return -high, -low
    _check_counts(images, lost + gained)
    _check_counts(images, np.minimum(lost, gained))
    smooth = images + 2
    shares = np.stack([(lost + 1) / smooth, (gained + 1) / smooth], axis=1)
    low, high = _resampled(images, shares, np.array([-1, 1]), seed, resamples)
    # The added images move the centre towards 0, in many classes by more than the interval's width.
    moved = float(((gained - lost) / images).mean() - (shares[:, 1] - shares[:, 0]).mean())
    low, high = max(low + moved, -1.0), min(high + moved, 1.0)
    if gained.tolist() == lost.tolist():
        half = (high - low) / 2
        return -half, half
    observed = float(((gained - lost) / images).mean())
    return min(low, observed), max(high, observed)


def balanced_accuracy_95(
    images: Counts, right: Counts, *, seed: int = SEED, resamples: int = RESAMPLES
) -> Interval:
    """Return the 95% interval of one model's balanced accuracy, 0 to 1.

    A stratified bootstrap as in `balanced_difference_95`, with one image right and one wrong added
    to what each class is drawn from.

    Args:
        images: int64 (classes,), at least 1 each; leave out the classes without images.
        right: int64 (classes,), images answered right.
        seed: of the draws.
        resamples: how often each class is drawn.

    Raises:
        ValueError: there are no classes, or more images are right than there are.
    """
    _check_counts(images, right)
    shares = ((right + 1) / (images + 2))[:, None]
    low, high = _resampled(images, shares, np.array([1]), seed, resamples)
    observed = float((right / images).mean())
    return min(low, observed), max(high, observed)


def _check_counts(images: Counts, part: Counts) -> None:
    if not images.size or (images < 1).any() or (part < 0).any() or (part > images).any():
        raise ValueError(f"{part.tolist()} of {images.tolist()} images are no counts")


def _resampled(
    images: Counts, shares: Floats, worth: Counts, seed: int, resamples: int
) -> Interval:
    """Return the 95% interval of a mean over classes of what each class's images are worth.

    Args:
        images: int64 (classes,).
        shares: float64 (classes, kinds), of the kinds of answers that are worth anything.
        worth: int64 (kinds,), of one such answer.
        seed: of the draws.
        resamples: how often each class is drawn.
    """
    rest = np.maximum(1 - shares.sum(axis=1, keepdims=True), 0)
    every, random = np.concatenate([shares, rest], axis=1), np.random.default_rng(seed)
    # Of a thousand classes, not all resamples are held at once.
    rows, means = max(1, _HELD // len(images)), np.empty(resamples)
    for start in range(0, resamples, rows):
        stop = min(start + rows, resamples)
        # Drawing n images with replacement is drawing their counts from a multinomial.
        drawn = random.multinomial(images, every, size=(stop - start, len(images)))
        means[start:stop] = (drawn[:, :, :-1] @ worth / images).mean(axis=1)
    low, high = np.quantile(means, [ALPHA, 1 - ALPHA])
    return float(low), float(high)
