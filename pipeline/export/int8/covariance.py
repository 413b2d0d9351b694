"""Measure how the inputs of a layer vary together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.int8.convolved import same_padding
from pipeline.export.int8.threads import FIXED_PARTS, in_threads
from pipeline.tflite.edit import Array

Float64 = npt.NDArray[np.float64]

_SAME_PADDING = 0
# Values looked at for one layer: enough for the smallest covariance to settle.
_VALUES = 1_500_000
_IMAGES = 48
_POSITIONS = 20_000


def window_covariance(
    stored: Array, scale: float, zero_point: int, options: Any, taps: tuple[int, int]
) -> Float64:
    """Return the covariance of the window that each channel of a depthwise layer sees.

    Args:
        stored: int8 (images, height, width, channels), the layer's input.
        scale: real size of one step.
        zero_point: the step that stands for zero, which padding holds.
        options: the operator's strides, padding and dilation.
        taps: height and width of the kernel.

    Returns:
        float64 (channels, taps, taps) in real units, taps in row order.
    """
    steps = (int(options.strideH), int(options.strideW))
    spread = (int(options.dilationHFactor), int(options.dilationWFactor))
    reach = [(tap - 1) * gap + 1 for tap, gap in zip(taps, spread, strict=True)]
    stored = stored[:: -(-len(stored) // _IMAGES)]
    sizes = stored.shape[1:3]
    if options.padding == _SAME_PADDING:
        counts = [-(-size // step) for size, step in zip(sizes, steps, strict=True)]
        around = same_padding(sizes, options, taps)
        stored = np.pad(stored, ((0, 0), *around, (0, 0)), constant_values=zero_point)
    else:
        counts = [(s - far) // step + 1 for s, far, step in zip(sizes, reach, steps, strict=True)]
    # Every so many positions of many images, rather than all of a few.
    total = len(stored) * counts[0] * counts[1] * stored.shape[-1]
    apart = max(1, math.ceil(math.sqrt(total / _VALUES)))
    strides = [step * apart for step in steps]
    seen = [
        stored[
            :,
            row * spread[0] : row * spread[0] + (counts[0] - 1) * steps[0] + 1 : strides[0],
            column * spread[1] : column * spread[1] + (counts[1] - 1) * steps[1] + 1 : strides[1],
        ].reshape(-1, stored.shape[-1])
        for row in range(taps[0])
        for column in range(taps[1])
    ]
    # (channels, taps, positions): one matrix product a channel.
    windows = np.ascontiguousarray(np.stack(seen).transpose(2, 0, 1)).astype(np.float32)
    windows -= windows.mean(axis=2, keepdims=True)
    windows *= np.float32(scale)
    product = np.matmul(windows, windows.transpose(0, 2, 1), dtype=np.float32)
    covariance: Float64 = product.astype(np.float64) / windows.shape[2]
    return covariance


def input_covariance(stored: Array, scale: float, zero_point: int) -> Float64:
    """Return the covariance of the channels that a pointwise or dense layer reads.

    Args:
        stored: int8 (images, ..., channels).
        scale: real size of one step.
        zero_point: the step that stands for zero.

    Returns:
        float64 (channels, channels) in real units.
    """
    rows = stored.reshape(-1, stored.shape[-1])
    rows = rows[:: max(1, len(rows) // _POSITIONS)]
    real = (rows.astype(np.float32) - zero_point) * np.float32(scale)
    real -= real.mean(axis=0)
    products = in_threads(
        len(real), lambda part: _product(real[part.start : part.stop]), parts=FIXED_PARTS
    )
    covariance: Float64 = np.asarray(np.sum(products, axis=0, dtype=np.float64)) / len(real)
    return covariance


def _product(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    product: npt.NDArray[np.float32] = rows.T @ rows
    return product
