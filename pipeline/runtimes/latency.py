"""Measure how long one inference of one image takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.imaging.decode import Pixels
from pipeline.runtimes.interface import Runtime

TIMED_INFERENCES = 20
_WARM_UP = 3
_SEED = 0


def choose(count: int, timed: int) -> list[int]:
    """Choose which of `count` images are timed: at most `timed`, at random, always the same."""
    chosen = np.random.default_rng(_SEED).permutation(count)[:timed]
    return sorted(chosen.tolist())


def single_latencies_ms(runtime: Runtime[Any], images: Sequence[Pixels]) -> npt.NDArray[np.float64]:
    """Time one inference of each image, one after the other, after a few that do not count.

    Args:
        runtime: an opened model; nothing else may be running in this process.
        images: contract-sized, each uint8 RGB (height, width, 3).

    Returns:
        milliseconds, float64 (len(images),), of `Runtime.invoke` alone: every input was prepared
        before the first was timed.
    """
    prepared = [runtime.prepare([pixels]) for pixels in images]
    for one in prepared[:1] * _WARM_UP:
        runtime.invoke(one)
    spent_ms = []
    for one in prepared:
        start = time.perf_counter()
        runtime.invoke(one)
        spent_ms.append((time.perf_counter() - start) * 1000)
    return np.array(spent_ms, np.float64)
