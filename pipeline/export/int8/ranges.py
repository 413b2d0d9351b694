"""Choose the range that each activation's 8 bits span.

Three rules compete: the extremes (min-max), the 0.01 and 99.99 percentiles, and the clipping that
leaves the least squared error (Krishnamoorthi 2018, arXiv 1806.08342, section 3; Banner et al.
2019, arXiv 1810.05723). Each tensor takes the one whose quantization leaves the least squared
error on its own values.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Range = tuple[float, float]
Ranges = dict[str, Range]

_STEPS = 255
_BINS = 2048
_PERCENT = 0.01
# Clipping below three tenths of the extremes never was the best on any tensor tried.
_COARSE = np.linspace(1.0, 0.3, 8)
_FINE = np.linspace(0.92, 1.08, 9)
_NARROWEST = 1e-6


class Observed(Protocol):
    """Give what a range is chosen from: extremes and float32 samples of one activation."""

    @property
    def low(self) -> float:
        """Return the smallest value."""

    @property
    def high(self) -> float:
        """Return the largest value."""

    @property
    def samples(self) -> npt.NDArray[np.float32]:
        """Return values drawn from the activation, (n,)."""


def with_zero(low: float, high: float) -> Range:
    """Return the range widened to hold zero, which padding needs exactly, and not empty."""
    low, high = min(low, 0.0), max(high, 0.0)
    return (low, high) if high - low >= _NARROWEST else (low, low + _NARROWEST)


def min_max(statistics: Observed) -> Range:
    """Return the extremes of a tensor."""
    return with_zero(statistics.low, statistics.high)


def percentile(statistics: Observed) -> Range:
    """Return the range that one value in ten thousand leaves on each side."""
    low, high = np.percentile(statistics.samples, [_PERCENT, 100 - _PERCENT])
    return with_zero(float(low), float(high))


def best_range(statistics: Observed) -> tuple[Range, str]:
    """Return the range of least squared error and the name of the rule that found it."""
    whole = min_max(statistics)
    values, weights = _histogram(statistics.samples, whole)
    low, high = _least_squares(values, weights, whole)
    candidates = {
        "min-max": whole,
        "percentile": percentile(statistics),
        "least squares": (low, high),
    }
    errors = {rule: squared_error(values, weights, r) for rule, r in candidates.items()}
    rule = min(errors, key=errors.__getitem__)
    return candidates[rule], rule


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
