"""Run the numbers gate: are these probabilities at all, and how far apart are they."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.contract.verdict import Check, Gate
from pipeline.parity.align import Pair
from pipeline.parity.comparison import compare, too_few_images
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
        evidence={"kind": "not_finite", "side": side, "images": broken, "n": count},
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
    return compare(
        "mean_probability_difference",
        Gate.numbers,
        float(largest.mean()),
        "<=",
        limit,
        unit="probability",
        evidence={
            "kind": "probability_difference",
            "mean": float(largest.mean()),
            "largest": float(largest.max()),
            "limit": limit,
            "images_over": int((largest > limit).sum()),
            "n": len(largest),
        },
    )


def largest_differences(pair: Pair) -> npt.NDArray[np.float64]:
    """Return each image's largest difference in any class, float64 (n,), 0 to 1."""
    apart = np.abs(pair.candidate.astype(np.float64) - pair.reference.astype(np.float64))
    return np.asarray(apart.max(axis=1))


def sum_error_limit(classes: int, *, is_8_bit: bool) -> float:
    """Return how far from 1 the probabilities of an image may sum."""
    return classes * _STEP_8_BIT if is_8_bit else _FLOAT_SUM_TOLERANCE


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
        evidence={
            "kind": "out_of_range",
            "side": side,
            "images": count,
            "n": len(probabilities),
            "range": [float(probabilities.min()), float(probabilities.max())],
        },
    )


def _sums_to_one(side: str, probabilities: Probabilities) -> Check:
    steps = probabilities / np.float32(_STEP_8_BIT)
    is_8_bit = bool((steps == np.rint(steps)).all())
    tolerance = sum_error_limit(probabilities.shape[1], is_8_bit=is_8_bit)
    off = np.abs(probabilities.sum(axis=1, dtype=np.float64) - 1)
    return compare(
        f"{side}_sum_error",
        Gate.numbers,
        float(off.max()),
        "<=",
        tolerance,
        unit="probability",
        evidence={
            "kind": "sum_error",
            "side": side,
            "images": int((off > tolerance).sum()),
            "n": len(off),
            "furthest": float(off.max()),
            "limit": tolerance,
            "step": _STEP_8_BIT if is_8_bit else None,
        },
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
        evidence={
            "kind": "distinct_answers",
            "side": side,
            "distinct": distinct,
            "n": len(probabilities),
        },
        undecided=too_few_images(len(probabilities), 2),
    )
