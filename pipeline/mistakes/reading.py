"""Read a picture wrongly: other resizing, other framing, other orientation."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.contract.choices import Mistake
from pipeline.contract.image import ImageContract
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import Float32, resize_bilinear, resize_pixels
from pipeline.mistakes.interface import Picture, ReadingMistake

# The share of the shorter side that is kept where training code resizes to 256 and crops 224.
_EVALUATION_CROP = 0.875
# The padding of YOLO's letterbox.
_PADDING_GRAY = 114
_RESAMPLING = {
    "Pillow's bilinear": Image.Resampling.BILINEAR,
    "area": Image.Resampling.BOX,
    "Lanczos": Image.Resampling.LANCZOS,
    "Pillow's bicubic": Image.Resampling.BICUBIC,
}


def _whole(values: Float32) -> Pixels:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8, order="C")


def _resampled(filter_: Image.Resampling, picture: Picture, image: ImageContract) -> Pixels:
    """Resize with Pillow, whose filters widen with the reduction."""
    resized = Image.fromarray(picture.upright).resize((image.width_px, image.height_px), filter_)
    return np.asarray(resized, dtype=np.uint8)


def _nearest(shift: float, picture: Picture, image: ImageContract) -> Pixels:
    rows, columns = (
        np.minimum(((np.arange(out) + shift) * size / out).astype(np.int64), size - 1)
        for out, size in zip(
            (image.height_px, image.width_px), picture.upright.shape[:2], strict=True
        )
    )
    return np.ascontiguousarray(picture.upright[rows][:, columns])


def _bicubic(a: float, picture: Picture, image: ImageContract) -> Pixels:
    """Resize by cubic convolution with half-pixel centres and no antialiasing.

    Source: Keys 1981, Cubic convolution interpolation for digital image processing.
    """
    values = picture.upright.astype(np.float32)
    for axis, out in ((0, image.height_px), (1, image.width_px)):
        size = values.shape[axis]
        source = (np.arange(out) + 0.5) * size / out - 0.5
        first = np.floor(source).astype(np.int64) - 1
        # As many rows as are used: a photograph of 48 million pixels stays small.
        values = _weighted(values, axis, first, source, partial(_keys, a))
    return _whole(values)


def _weighted(
    values: Float32,
    axis: int,
    first: npt.NDArray[np.int64],
    source: npt.NDArray[np.float64],
    weight: Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]],
) -> Float32:
    shape = [1, 1, 1]
    shape[axis] = len(first)
    total: Float32 | None = None
    for tap in range(4):
        place = first + tap
        share = weight(np.abs(source - place)).astype(np.float32).reshape(shape)
        part = values.take(np.clip(place, 0, values.shape[axis] - 1), axis=axis) * share
        total = part if total is None else total + part
    assert total is not None
    return total


def _keys(a: float, x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def _corner_sampled(align_corners: bool, picture: Picture, image: ImageContract) -> Pixels:
    """Resize bilinearly, the first pixel's corner (or all corners) upon the first pixel's."""
    values = picture.upright.astype(np.float32)
    for axis, out in ((1, image.width_px), (0, image.height_px)):
        size = values.shape[axis]
        step = (size - 1) / max(1, out - 1) if align_corners else size / out
        source = np.arange(out) * step
        lower = np.minimum(np.floor(source).astype(np.int64), size - 1)
        upper = np.minimum(lower + 1, size - 1)
        shape = [1, 1, 1]
        shape[axis] = out
        share = (source - lower).astype(np.float32).reshape(shape)
        start, end = values.take(lower, axis=axis), values.take(upper, axis=axis)
        values = start + (end - start) * share
    return _whole(values)


def _center_crop(share: float, picture: Picture, image: ImageContract) -> Pixels:
    height, width = picture.upright.shape[:2]
    unit = min(height / image.height_px, width / image.width_px) * share
    rows, columns = round(image.height_px * unit), round(image.width_px * unit)
    top, left = (height - rows) // 2, (width - columns) // 2
    return resize_pixels(picture.upright[top : top + rows, left : left + columns], image)


def _letterbox(fill: int, picture: Picture, image: ImageContract) -> Pixels:
    height, width = picture.upright.shape[:2]
    scale = min(image.height_px / height, image.width_px / width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    framed = np.full((image.height_px, image.width_px, 3), fill, np.uint8)
    top, left = (image.height_px - rows) // 2, (image.width_px - columns) // 2
    resized = _whole(resize_bilinear(picture.upright, rows, columns))
    framed[top : top + rows, left : left + columns] = resized
    return framed


def _padded_first(picture: Picture, image: ImageContract) -> Pixels:
    """Pad with black to the input's aspect ratio, then resize: the edges of the picture blend."""
    height, width = picture.upright.shape[:2]
    unit = max(height / image.height_px, width / image.width_px)
    rows, columns = (max(1, round(side * unit)) for side in (image.height_px, image.width_px))
    framed = np.zeros((max(rows, height), max(columns, width), 3), np.uint8)
    top, left = (framed.shape[0] - height) // 2, (framed.shape[1] - width) // 2
    framed[top : top + height, left : left + width] = picture.upright
    return resize_pixels(framed, image)


def _exif_ignored(picture: Picture, image: ImageContract) -> Pixels:
    return resize_pixels(picture.stored(), image)


def _flipped(axis: int, picture: Picture, image: ImageContract) -> Pixels:
    return np.ascontiguousarray(np.flip(resize_pixels(picture.upright, image), axis))


def _transposed(picture: Picture, image: ImageContract) -> Pixels:
    """Take columns for rows; equal to resizing the transposed picture."""
    turned = resize_bilinear(picture.upright, image.width_px, image.height_px)
    return _whole(turned.transpose(1, 0, 2))


def _rotated(quarters: int, picture: Picture, image: ImageContract) -> Pixels:
    return resize_pixels(np.ascontiguousarray(np.rot90(picture.upright, quarters)), image)


_RESIZE = "resize bilinearly with half-pixel centres and no antialiasing"
_FRAME = "resize the whole frame to the input's size, whatever its shape"
_ORIENT = "apply the EXIF orientation once, and nothing else that turns the picture"

MISTAKES = (
    ReadingMistake(
        name=Mistake.nearest,
        title="resizes to the nearest pixel",
        mend=_RESIZE,
        variants={
            "half-pixel centres": partial(_nearest, 0.5),
            "corners": partial(_nearest, 0.0),
        },
    ),
    ReadingMistake(
        name=Mistake.bicubic,
        title="resizes bicubically",
        mend=_RESIZE,
        variants={
            "a = -0.5": partial(_bicubic, -0.5),
            "a = -0.75": partial(_bicubic, -0.75),
        },
    ),
    ReadingMistake(
        name=Mistake.antialiased,
        title="resizes with antialiasing",
        mend=_RESIZE,
        variants={name: partial(_resampled, one) for name, one in _RESAMPLING.items()},
    ),
    ReadingMistake(
        name=Mistake.corner_sampled,
        title="resizes bilinearly without half-pixel centres",
        mend=_RESIZE,
        variants={
            "asymmetric": partial(_corner_sampled, False),
            "aligned corners": partial(_corner_sampled, True),
        },
    ),
    ReadingMistake(
        name=Mistake.center_crop,
        title="crops the centre",
        mend=_FRAME,
        variants={
            "the whole shorter side": partial(_center_crop, 1.0),
            "87.5% of the shorter side": partial(_center_crop, _EVALUATION_CROP),
        },
    ),
    ReadingMistake(
        name=Mistake.letterbox,
        title="keeps the aspect ratio and pads (letterbox)",
        mend=_FRAME,
        variants={
            "black": partial(_letterbox, 0),
            "black, before resizing": _padded_first,
            f"gray {_PADDING_GRAY}": partial(_letterbox, _PADDING_GRAY),
            "white": partial(_letterbox, 255),
        },
    ),
    ReadingMistake(
        name=Mistake.exif_ignored,
        title="ignores the EXIF orientation",
        mend=_ORIENT,
        variants={"as stored": _exif_ignored},
    ),
    ReadingMistake(
        name=Mistake.mirrored,
        title="mirrors the picture",
        mend=_ORIENT,
        variants={"left to right": partial(_flipped, 1), "top to bottom": partial(_flipped, 0)},
    ),
    ReadingMistake(
        name=Mistake.transposed,
        title="takes columns for rows (transposed)",
        mend="fill the input tensor row by row: index (y * width + x) * 3 + channel",
        variants={"transposed": _transposed},
    ),
    ReadingMistake(
        name=Mistake.rotated,
        title="rotates the picture",
        mend=_ORIENT,
        variants={
            "a quarter left": partial(_rotated, 1),
            "a quarter right": partial(_rotated, -1),
            "upside down": partial(_rotated, 2),
        },
    ),
)
