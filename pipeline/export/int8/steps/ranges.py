"""Choose the range that each activation's 8 bits span.

Three rules compete: the extremes (min-max), the 0.01 and 99.99 percentiles, and the clipping that
leaves the least squared error (Krishnamoorthi 2018, arXiv 1806.08342, section 3; Banner et al.
2019, arXiv 1810.05723). Each tensor takes the one whose quantization leaves the least squared
error on its own values.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep
from pipeline.export.int8.value_range import Observed, Range, min_max, with_zero

_STEPS = 255
_BINS = 2048
_PERCENT = 0.01
# Clipping below three tenths of the extremes never was the best on any tensor tried.
_COARSE = np.linspace(1.0, 0.3, 8)
_FINE = np.linspace(0.92, 1.08, 9)


def percentile(statistics: Observed) -> Range:
    """Return the range that one value in ten thousand leaves on each side."""
    low, high = np.percentile(statistics.samples, [_PERCENT, 100 - _PERCENT])
    return with_zero(float(low), float(high))


def best_range(statistics: Observed) -> Range:
    """Return the range of least squared error among those of the three rules."""
    whole = min_max(statistics)
    values, weights = _histogram(statistics.samples, whole)
    candidates = (whole, percentile(statistics), _least_squares(values, weights, whole))
    return min(candidates, key=lambda span: squared_error(values, weights, span))


def squared_error(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], span: Range
) -> float:
    """Return the mean squared error of rounding `values` to the 256 steps of `span`.

    Args:
        values: (n,) real values.
        weights: (n,) shares, summing to 1.
        span: low and high, zero inside.
    """
    low, high = span
    scale = (high - low) / _STEPS
    zero_point = np.rint(-low / scale)
    stored = np.clip(np.rint(values / scale) + zero_point, 0, _STEPS)
    return float((((stored - zero_point) * scale - values) ** 2) @ weights)


def _histogram(
    samples: npt.NDArray[np.float32], whole: Range
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    counts, edges = np.histogram(samples, _BINS, whole)
    filled = counts > 0
    return (edges[1:] + edges[:-1])[filled] / 2, counts[filled] / max(1, counts.sum())


def _least_squares(
    values: npt.NDArray[np.float64], weights: npt.NDArray[np.float64], whole: Range
) -> Range:
    best = whole
    # First a coarse look at every clipping, then a fine one around the best.
    for shrink in (_COARSE, _FINE):
        low, high = best
        tried = [
            (low * below, high * above)
            for below in (shrink if low < 0 else (1.0,))
            for above in (shrink if high > 0 else (1.0,))
        ]
        best = min((best, *tried), key=lambda span: squared_error(values, weights, span))
    return best


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, choose_range=best_range)


STEP = RepairStep(
    name=Step.ranges,
    source="Krishnamoorthi 2018, arXiv 1806.08342, section 3; Banner et al. 2019, arXiv 1810.05723",
    apply=_apply,
    # Without the biases it hardly helps, and never was chosen.
    alone=False,
    with_floats=True,
)
