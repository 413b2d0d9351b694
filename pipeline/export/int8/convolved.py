"""Know where a convolution's windows lie."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def same_padding(
    sizes: Sequence[int], options: Any, taps: Sequence[int]
) -> tuple[tuple[int, int], tuple[int, int]]:
    """Return what padding SAME adds before and after, for rows and for columns.

    Args:
        sizes: height and width of the input.
        options: the operator's strides and dilation.
        taps: height and width of the kernel.
    """
    steps = (int(options.strideH), int(options.strideW))
    spread = (int(options.dilationHFactor), int(options.dilationWFactor))
    reach = [(tap - 1) * gap + 1 for tap, gap in zip(taps, spread, strict=True)]
    missing = [
        max((-(-size // step) - 1) * step + far - size, 0)
        for size, step, far in zip(sizes, steps, reach, strict=True)
    ]
    rows, columns = ((lack // 2, lack - lack // 2) for lack in missing)
    return rows, columns
