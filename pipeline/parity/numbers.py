"""Walk the numbers gate: are these probabilities at all, and how far apart are they."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.contract.verdict import Check, Gate
from pipeline.parity.align import Pair
from pipeline.parity.comparison import compare
from pipeline.parity.thresholds import Thresholds

# TFLite fixes the output of an 8-bit softmax to this step.
_STEP_8_BIT = 1 / 256
_FLOAT_SUM_TOLERANCE = 1e-3
_ROUNDING = 1e-6

Probabilities = npt.NDArray[np.float32]


def validity_checks(side: str, probabilities: Probabilities) -> list[Check]:
    """Check that one side's answers are probabilities and depend on the image.

    Args:
        side: reference or candidate.
        probabilities: float32 (n, classes), n at least 1.

    NaN or infinity ends the list: nothing after it would mean anything.
    """
    count = len(probabilities)
    broken = int((~np.isfinite(probabilities)).any(axis=1).sum())
    finite = compare(
        f"{side}_not_finite",
        Gate.numbers,
        broken,
        "==",
        0,
        unit="images",
        evidence=f"{broken} of {count} images of the {side} hold NaN or infinity",
    )
    if broken:
        return [finite]
    return [
        finite,
        _in_range(side, probabilities),
        _sums_to_one(side, probabilities),
        _varies(side, probabilities),
    ]


def difference_check(pair: Pair, thresholds: Thresholds) -> Check:
    """Check the mean over images of the largest difference in any class."""
    largest = largest_differences(pair)
    limit = thresholds.max_mean_probability_difference
    over = int((largest > limit).sum())
    return compare(
        "mean_probability_difference",
        Gate.numbers,
        float(largest.mean()),
        "<=",
        limit,
        unit="probability",
        evidence=(
            f"the largest difference in any class of an image is {largest.mean():.4f} on average, "
            f"{largest.max():.4f} at most; above {limit:g} on {over} of {len(largest)} images"
        ),
    )


def largest_differences(pair: Pair) -> npt.NDArray[np.float64]:
    """Return each image's largest difference in any class, float64 (n,), 0 to 1."""
    apart = np.abs(pair.candidate.astype(np.float64) - pair.reference.astype(np.float64))
    return np.asarray(apart.max(axis=1))


def _in_range(side: str, probabilities: Probabilities) -> Check:
    outside = ((probabilities < -_ROUNDING) | (probabilities > 1 + _ROUNDING)).any(axis=1)
    count = int(outside.sum())
    return compare(
        f"{side}_out_of_range",
        Gate.numbers,
        count,
        "==",
        0,
        unit="images",
        evidence=(
            f"{count} of {len(probabilities)} images of the {side} have values outside 0 to 1 "
            f"(found {probabilities.min():.4g} to {probabilities.max():.4g}); "
            "logits instead of a softmax look like this"
            if count
            else f"values of the {side} lie between {probabilities.min():.4g} "
            f"and {probabilities.max():.4g}"
        ),
    )


def _sums_to_one(side: str, probabilities: Probabilities) -> Check:
    steps = probabilities / np.float32(_STEP_8_BIT)
    is_8_bit = bool((steps == np.rint(steps)).all())
    tolerance = probabilities.shape[1] * _STEP_8_BIT if is_8_bit else _FLOAT_SUM_TOLERANCE
    off = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1)
    kind = "8-bit steps of 1/256, one a class" if is_8_bit else "float values"
    return compare(
        f"{side}_sum_error",
        Gate.numbers,
        float(off.max()),
        "<=",
        tolerance,
        unit="probability",
        evidence=(
            f"{int((off > tolerance).sum())} of {len(off)} images of the {side} sum further from "
            f"1 than {tolerance:.4g} ({kind}); the furthest by {off.max():.4g}"
        ),
    )


def _varies(side: str, probabilities: Probabilities) -> Check:
    distinct = len(np.unique(probabilities, axis=0))
    return compare(
        f"{side}_distinct_answers",
        Gate.numbers,
        distinct,
        ">=",
        2,
        unit="answers",
        evidence=f"{distinct} distinct answers of the {side} to {len(probabilities)} images",
        undecided="one image tells nothing" if len(probabilities) == 1 else None,
    )
