"""Choose for each weight whether it is rounded up or down, by the error at the layer's output.

Nagel et al. 2020, "Up or Down? Adaptive Rounding for Post-Training Quantization", arXiv
2004.10568: the nearest grid point is not the best one. The expected squared error of a channel's
output is d' H d, with d the rounding errors of its weights and H the covariance of its inputs
(equation 13; the mean is left to bias correction). A depthwise 3x3 channel has 9 weights, so all
512 choices are tried and the best is found exactly; longer rows are improved one weight at a time
until no single change helps.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.covariance import input_covariance, window_covariance
from pipeline.export.int8.steps.interface import BuildPlan, LayerInput, RepairStep

if TYPE_CHECKING:
    from pipeline.export.int8.layer import Layer

Float64 = npt.NDArray[np.float64]

_LARGEST = 127
_EXHAUSTIVE = 9
_SWEEPS = 3
# Directions that the images never excite would be rounded at random; nearest is better.
_DAMPING = 1e-6
_CHANNELS_AT_ONCE = 64


def round_channels(weights: Float64, covariance: Float64) -> Float64:
    """Round rows of few weights, each with a covariance of its own, to the best of all choices.

    Args:
        weights: (channels, taps), in steps of the channel's scale; within -127 to 127.
        covariance: (channels, taps, taps) of each channel's inputs.

    Returns:
        float64 (channels, taps), whole numbers, each the floor or the ceiling of its weight.
    """
    taps = weights.shape[1]
    if taps > _EXHAUSTIVE:
        rows = [round_rows(row[None], one)[0] for row, one in zip(weights, covariance, strict=True)]
        return np.stack(rows)
    choices = np.array(list(product((0.0, 1.0), repeat=taps)))
    damped = _damped(covariance)
    rounded = np.empty_like(weights)
    for start in range(0, len(weights), _CHANNELS_AT_ONCE):
        part = slice(start, start + _CHANNELS_AT_ONCE)
        floor = np.floor(weights[part])
        steps = choices * (weights[part] > floor)[:, None]
        errors = floor[:, None] + steps - weights[part][:, None]
        cost = np.einsum("cki,cki->ck", errors @ damped[part], errors)
        cost[(floor[:, None] + steps > _LARGEST).any(axis=2)] = np.inf
        rounded[part] = floor + steps[np.arange(len(floor)), cost.argmin(axis=1)]
    return rounded


def round_rows(weights: Float64, covariance: Float64) -> Float64:
    """Round rows that share their inputs, one weight after another, until nothing improves.

    Args:
        weights: (rows, columns), in steps of the row's scale; within -127 to 127.
        covariance: (columns, columns) of the shared inputs.

    Returns:
        float64 (rows, columns), whole numbers, each the floor or the ceiling of its weight.
    """
    damped = _damped(covariance[None])[0]
    floor = np.floor(weights)
    up = np.rint(weights) > floor
    slope = (floor + up - weights) @ damped
    curvature = np.diag(damped)
    for _ in range(_SWEEPS):
        changed = False
        for column in range(weights.shape[1]):
            step = np.where(up[:, column], -1.0, 1.0)
            gain = 2 * step * slope[:, column] + curvature[column]
            free = weights[:, column] > floor[:, column]
            flips = (gain < 0) & free & (floor[:, column] + ~up[:, column] <= _LARGEST)
            if flips.any():
                changed = True
                slope[flips] += step[flips, None] * damped[column]
                up[flips, column] ^= True
        if not changed:
            break
    rounded: Float64 = floor + up
    return rounded


def _damped(covariance: Float64) -> Float64:
    taps = covariance.shape[-1]
    mean = np.trace(covariance, axis1=1, axis2=2) / taps
    damped: Float64 = covariance + (_DAMPING * mean + 1e-12)[:, None, None] * np.eye(taps)
    return damped


def round_layer(layer: Layer, read: LayerInput) -> None:
    """Choose the rounding of a layer's weights by its output, in place.

    Depthwise, pointwise and dense layers; larger convolutions keep the nearest, as do depthwise
    layers whose depth multiplier lets several outputs share an input channel.

    Args:
        layer: float and int8 layer.
        read: what the int8 layer reads.
    """
    weights = layer.float_weights.astype(np.float64)
    values, scale, zero_point = read.values, read.scale, read.zero_point
    if layer.depthwise:
        height, width = weights.shape[1:3]
        rows = weights.reshape(height * width, -1).T / layer.scales[:, None]
        if rows.shape[0] != values.shape[-1]:
            return
        covariance = window_covariance(values, scale, zero_point, layer.options, (height, width))
        rounded = round_channels(np.clip(rows, -_LARGEST, _LARGEST), covariance).T
    elif weights.ndim == 2 or weights.shape[1:3] == (1, 1):
        rows = np.clip(
            weights.reshape(len(weights), -1) / layer.scales[:, None], -_LARGEST, _LARGEST
        )
        # A grouped convolution reads a part of the channels for each part of its outputs; a dense
        # layer may read an image whole.
        width = rows.shape[1]
        groups = 1 if weights.ndim == 2 else values.shape[-1] // width
        inputs = values.reshape(-1, groups, width)
        outputs = rows.reshape(groups, -1, width)
        rounded = np.concatenate(
            [
                round_rows(outputs[group], input_covariance(inputs[:, group], scale, zero_point))
                for group in range(groups)
            ]
        )
    else:
        return
    layer.set_weights(rounded.reshape(weights.shape))


def _apply(plan: BuildPlan) -> BuildPlan:
    # The bias makes up for what rounding does to the mean, so it is corrected afterwards.
    return replace(plan, corrections=(round_layer, *plan.corrections))


STEP = RepairStep(
    name=Step.rounding,
    source="Nagel et al. 2020, Up or Down?, arXiv 2004.10568",
    apply=_apply,
)
