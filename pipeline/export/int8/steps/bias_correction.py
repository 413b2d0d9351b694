"""Correct a layer's bias by the mean error of its output.

Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
arXiv 1906.04721, section 4.2, in its empirical form. Rounding weights and activations moves the
mean of each channel; the bias moves it back. The order matters: a layer is corrected on the input
that the corrected layers before it give, so the errors never add up.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, LayerInput, RepairStep
from pipeline.tflite.edit import Array

if TYPE_CHECKING:
    from pipeline.export.int8.layer import Layer

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


def correct_bias(layer: Layer, read: LayerInput) -> None:
    """Move the mean of each of an int8 layer's channels to the float layer's, in place.

    Args:
        layer: float and int8 layer.
        read: what both read.
    """
    # In a child process: LiteRT.
    from pipeline.export.int8.kernels import Kernel

    wanted = Kernel(layer.float_linear())(read.float_mean)
    got = Kernel(layer.int8_linear())(read.int8_mean())
    layer.add_to_bias(bias_shift(wanted, got))


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, corrections=(*plan.corrections, correct_bias))


STEP = RepairStep(
    name=Step.bias_correction,
    source="Nagel et al. 2019, arXiv 1906.04721, section 4.2",
    apply=_apply,
    with_floats=True,
)
