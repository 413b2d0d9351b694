"""Name the real range that an activation's 8 bits span, and take it from the extremes."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

Range = tuple[float, float]
Ranges = dict[str, Range]

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
