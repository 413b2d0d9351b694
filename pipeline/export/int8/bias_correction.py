"""Correct a layer's bias by the mean error of its output.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
arXiv 1906.04721, section 4.2, in its empirical form. Rounding weights and activations moves the
mean of each channel; the bias moves it back. The order matters: a layer is corrected on the input
that the corrected layers before it give, so the errors never add up.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.tflite.edit import Array

Float64 = npt.NDArray[np.float64]


def bias_shift(wanted: Array, got: Array) -> Float64:
    """Return what must be added to each channel's bias.

    A layer without its activation is linear, so its mean over the images is its answer to the
    mean input: one run for each side is enough, however many images there are.

    Args:
        wanted: the float layer's answer to the mean float input, (..., channels).
        got: the int8 layer's, in real numbers, to the mean int8 input, the same shape.

    Returns:
        float64 (channels,): the mean difference over all positions.
    """
    difference = wanted.astype(np.float64) - got.astype(np.float64)
    shift: Float64 = difference.reshape(-1, difference.shape[-1]).mean(axis=0)
    return shift
