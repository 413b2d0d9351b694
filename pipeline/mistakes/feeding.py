"""Make an input tensor of the right pixels wrongly: other channels, other ranges."""

from __future__ import annotations

from functools import partial

import numpy as np

from pipeline.contract.choices import Mistake
from pipeline.contract.normalization import Normalization, NormalizationName
from pipeline.imaging.decode import Pixels
from pipeline.imaging.keras_input import keras_input
from pipeline.imaging.preprocess import input_tensor
from pipeline.mistakes.interface import Fed, Feeding, FeedingMistake, Float32, Stored

# Less than a thousandth is no standard deviation of pixel values.
_SMALLEST_STD = 1e-3


def right_tensor(pixels: Pixels, fed: Fed) -> Stored:
    """Return what the file should be fed for the contract's pixels."""
    return input_tensor(
        pixels,
        fed.image,
        dtype=fed.tensor.dtype,
        scale=fed.tensor.scale,
        zero_point=fed.tensor.zero_point,
    )


def is_quantized(fed: Fed) -> bool:
    """Tell whether the file takes integers."""
    return fed.tensor.dtype != "float32"


def _stored(values: Float32, fed: Fed) -> Stored:
    """Return real values in the file's type: quantized half to even, and cut to its range."""
    if not is_quantized(fed):
        return values
    scale, zero_point = fed.tensor.scale, fed.tensor.zero_point
    assert scale is not None
    assert zero_point is not None
    info = np.iinfo(fed.tensor.dtype)
    steps = np.rint(values / np.float32(scale)) + np.float32(zero_point)
    stored: Stored = np.clip(steps, info.min, info.max).astype(fed.tensor.dtype)
    return stored


def _cast(values: Float32, fed: Fed) -> Stored:
    """Return values as a cast stores them, without scale and zero point."""
    if not is_quantized(fed):
        return values
    # Through int64, since what a cast of a float out of range gives is undefined.
    return values.astype(np.int64).astype(fed.tensor.dtype)


def _bgr(pixels: Pixels, fed: Fed) -> Stored:
    return right_tensor(np.ascontiguousarray(pixels[..., ::-1]), fed)


def _planar(pixels: Pixels, fed: Fed) -> Stored:
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))
    return right_tensor(planes.reshape(pixels.shape), fed)


def _normalized(normalization: Normalization, pixels: Pixels, fed: Fed) -> Stored:
    if normalization == Normalization.of_image(fed.image):
        # A uint8 input takes the pixels, and no rounding of the zero point may hide that.
        return right_tensor(pixels, fed)
    return _stored(keras_input(pixels, normalization), fed)


def _as_integers(normalization: Normalization, pixels: Pixels, fed: Fed) -> Stored:
    return _cast(keras_input(pixels, normalization), fed)


def _both(name: NormalizationName) -> dict[str, Feeding]:
    normalization = Normalization.named(name)
    return {
        "normalized": partial(_normalized, normalization),
        "cast to integers": partial(_as_integers, normalization),
    }


def _mean_std_swapped(pixels: Pixels, fed: Fed) -> Stored:
    swapped = Normalization(mean=(fed.image.std,) * 3, std=(fed.image.mean,) * 3)
    return _normalized(swapped, pixels, fed)


def _moved(by: int, pixels: Pixels, fed: Fed) -> Stored:
    info = np.iinfo(fed.tensor.dtype)
    moved = right_tensor(pixels, fed).astype(np.int16) + by
    return np.clip(moved, info.min, info.max).astype(fed.tensor.dtype)


MISTAKES = (
    FeedingMistake(
        name=Mistake.bgr,
        title="feeds BGR",
        mend="feed red, green, blue; OpenCV decodes to BGR",
        variants={"BGR": _bgr},
    ),
    FeedingMistake(
        name=Mistake.unit_range,
        title="feeds pixels as 0 to 1",
        mend="normalize by the mean and standard deviation in the metadata; a uint8 input takes "
        "the pixels as they are",
        variants=_both(NormalizationName.unit),
    ),
    FeedingMistake(
        name=Mistake.raw_range,
        title="feeds pixels as 0 to 255, without normalization",
        mend="normalize by the mean and standard deviation in the metadata",
        variants=_both(NormalizationName.raw),
    ),
    FeedingMistake(
        name=Mistake.mean_std_swapped,
        title="swaps mean and standard deviation",
        mend="compute (pixel - mean) / std",
        variants={"swapped": _mean_std_swapped},
        applies=lambda fed: fed.image.mean >= _SMALLEST_STD,
    ),
    FeedingMistake(
        name=Mistake.other_normalization,
        title="normalizes by another convention",
        mend="normalize by the mean and standard deviation in the metadata",
        variants={
            name.value: partial(_normalized, Normalization.named(name))
            for name in (NormalizationName.tf, NormalizationName.torch, NormalizationName.caffe)
        },
    ),
    FeedingMistake(
        name=Mistake.planar,
        title="feeds the channels one after the other (NCHW)",
        mend="feed red, green and blue of each pixel together (NHWC)",
        variants={"planar": _planar},
    ),
    FeedingMistake(
        name=Mistake.zero_point,
        title="quantizes the input with a zero point off by one",
        mend="read scale and zero point from the input tensor; a uint8 input takes the pixels as "
        "they are",
        variants={"one too high": partial(_moved, 1), "one too low": partial(_moved, -1)},
        applies=is_quantized,
    ),
)
