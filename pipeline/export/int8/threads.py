"""Share work on many images among the processor's cores."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

T = TypeVar("T")

# Sums of floats depend on where the images are divided. Work whose result is such a sum is
# divided into this many parts on every machine, so that the same model gives the same bytes.
FIXED_PARTS = 2


def usable_cores() -> int:
    """Return on how many processor cores this process may run, at least 1."""
    if sys.version_info >= (3, 13):
        return os.process_cpu_count() or 1
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def in_threads(count: int, work: Callable[[range], T], *, parts: int | None = None) -> list[T]:
    """Do `work` on consecutive parts of `range(count)` in threads; return the results in order.

    Args:
        count: how many items there are, at least 0.
        work: takes a part that is not empty. Its result must not depend on how the items are
            divided, unless `parts` is given.
        parts: into how many parts of nearly equal size to divide; one for each core by default.
            There are never more threads than cores.
    """
    cores = usable_cores()
    divided = _divide(count, cores if parts is None else parts)
    with ThreadPoolExecutor(max_workers=cores) as pool:
        return list(pool.map(work, divided))


def _divide(count: int, parts: int) -> list[range]:
    # The larger parts come first.
    bounds = [-(-count * part // parts) for part in range(parts + 1)]
    divided = [range(start, stop) for start, stop in pairwise(bounds)]
    return [part for part in divided if part]
