"""Resize, round and normalize: the reference implementation of the image contract."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.imaging.decode import Pixels, decode_file

Float32 = npt.NDArray[np.float32]
Indices = npt.NDArray[np.int64]


def resize_bilinear(pixels: Pixels, height_px: int, width_px: int) -> Float32:
    """Resize bilinearly with half-pixel centres and no antialiasing.

    Args:
        pixels: uint8 array (height, width, channels), 0 to 255.
        height_px: target height.
        width_px: target width.

    Returns:
        float32 array (height_px, width_px, channels), 0 to 255, not rounded.

    The formula is TensorFlow's ResizeBilinear with half_pixel_centers=True, which TFLite's
    RESIZE_BILINEAR shares: source = (target + 0.5) * (in / out) - 0.5 in float32; columns are
    interpolated first, then rows.
    """
    height, width, channels = pixels.shape
    plan = _plan((height_px, height), (width_px, width), channels)
    # Only the rows that are used are converted, each once: an 8000x6000 photograph stays in uint8.
    rows = pixels[plan.rows].reshape(len(plan.rows), width * channels)
    across = _lerp(rows.take(plan.left, axis=1), rows.take(plan.right, axis=1), plan.x_lerp)
    resized = _lerp(across[plan.top], across[plan.bottom], plan.y_lerp)
    return resized.reshape(height_px, width_px, channels)


def resize_pixels(pixels: Pixels, contract: ImageContract) -> Pixels:
    """Resize decoded pixels to the contract's size, as whole pixel values.

    Args:
        pixels: uint8 array (height, width, 3) of any size.
        contract: gives the size.

    Returns:
        uint8 array (contract.height_px, contract.width_px, 3), rounded half to even, rows first
        in memory.
    """
    resized = resize_bilinear(pixels, contract.height_px, contract.width_px)
    # Native runtimes read the bytes as they lie.
    return np.rint(resized, out=resized).astype(np.uint8, order="C")


def normalize(pixels: Pixels, contract: ImageContract) -> Float32:
    """Map pixels to model inputs: (pixel - mean) / std in float32, any shape."""
    mean, std = np.float32(contract.mean), np.float32(contract.std)
    return (pixels.astype(np.float32) - mean) / std


def input_tensor(
    pixels: Pixels,
    contract: ImageContract,
    *,
    dtype: str,
    scale: float | None,
    zero_point: int | None,
) -> npt.NDArray[Any]:
    """Return what a model with such an input is fed for these pixels.

    Args:
        pixels: uint8 array of the contract's size.
        contract: gives mean and standard deviation.
        dtype: `uint8`, `float32` or `int8`, the type of the input tensor.
        scale: of an int8 input, where real = scale * (stored - zero_point); else unused.
        zero_point: of an int8 input; else unused.

    Returns:
        array of `dtype` and the shape of `pixels`: the pixels themselves for uint8, normalized
        for float32, normalized and quantized half to even for int8.

    Raises:
        BadInput: another type, or an int8 input without scale and zero point.
    """
    if dtype == "uint8":
        return pixels
    values = normalize(pixels, contract)
    if dtype == "float32":
        return values
    if dtype != "int8" or not scale or zero_point is None:
        raise BadInput(
            "the model's input is of a kind that cannot be fed",
            expected="uint8, float32, or int8 with a scale and a zero point",
            got=f"{dtype}, scale {scale}, zero point {zero_point}",
        )
    # float32 and half-to-even, as the device does it: double arithmetic moves bytes by one.
    steps = np.rint(values / np.float32(scale)) + np.float32(zero_point)
    info = np.iinfo(np.int8)
    stored: npt.NDArray[Any] = np.clip(steps, info.min, info.max).astype(np.int8)
    return stored


def load_resized_pixels(path: Path, contract: ImageContract, sha256: str | None = None) -> Pixels:
    """Read an image file as pixels of the contract's size, uint8 RGB (height, width, 3).

    Raises:
        BadInput: the file is not a readable image, or not the one with this hash.
    """
    return resize_pixels(decode_file(path, contract, sha256), contract)


@dataclass(frozen=True, eq=False)
class _Plan:
    """Hold which values of an image a resize reads, and how it weighs them.

    rows: the rows that are read, rising. top, bottom: for each target row, where in `rows` its two
    are. left, right: for each value of a target row, where in a source row its two are. x_lerp,
    y_lerp: float32 (1, values) and (rows, 1), the share of the second.
    """

    rows: Indices
    top: Indices
    bottom: Indices
    left: Indices
    right: Indices
    x_lerp: Float32
    y_lerp: Float32


@lru_cache(maxsize=64)
def _plan(heights: tuple[int, int], widths: tuple[int, int], channels: int) -> _Plan:
    """Return the plan of sizes (out, in); the images of a dataset mostly share a few sizes."""
    top, bottom, y_lerp = _taps(*heights)
    left, right, x_lerp = _taps(*widths)
    rows, places = np.unique(np.concatenate([top, bottom]), return_inverse=True)

    def of_values(columns: Indices) -> Indices:
        return (columns[:, None] * channels + np.arange(channels)).reshape(-1)

    return _Plan(
        rows=rows,
        top=places[: len(top)],
        bottom=places[len(top) :],
        left=of_values(left),
        right=of_values(right),
        x_lerp=np.repeat(x_lerp, channels)[None],
        y_lerp=y_lerp[:, None],
    )


def _taps(out_size: int, in_size: int) -> tuple[Indices, Indices, Float32]:
    scale = np.float32(in_size) / np.float32(out_size)
    source = (np.arange(out_size, dtype=np.float32) + np.float32(0.5)) * scale - np.float32(0.5)
    floor = np.floor(source)
    lower = np.maximum(floor.astype(np.int64), 0)
    upper = np.minimum(np.ceil(source).astype(np.int64), in_size - 1)
    return lower, np.maximum(upper, 0), (source - floor).astype(np.float32)


def _lerp(start: npt.NDArray[Any], end: npt.NDArray[Any], weight: Float32) -> Float32:
    """Return start + (end - start) * weight, in float32."""
    first: Float32 = start.astype(np.float32)
    difference: Float32 = end.astype(np.float32)
    difference -= first
    difference *= weight
    first += difference
    return first
