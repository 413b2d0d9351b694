"""Compute the first convolution's worst channels twice, half a step of rounding apart.

What is left of the error of a repaired file is mostly made where the first activation is rounded:
the depthwise filters that read it are edge filters, whose weights sum to nearly nothing and whose
absolute sum is large, so that they pass rounding on enlarged and no bias can make up for it. A
channel is therefore computed as x + s/4 and as x - s/4, with s the step of its tensor, and what
reads their filters takes half of each. In floats the two average to x, at the borders too; rounded,
their mean has steps of s/2. That is dither of two values, subtracted after rounding by the
symmetry of the pair (Schuchman 1964, Dither signals and their effect on quantization noise, IEEE
Transactions on Communication Technology 12; for networks see Nagel et al. 2021, A White Paper on
Neural Network Quantization, arXiv 2106.08295, section 2). Where ReLU cuts off at less than a
quarter of a step the pair is off by less than that.

The channels are those whose filters have the largest absolute sum times the length of the weights
that read them: what an error of one step can come to after them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.operators import WEIGHTED
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep
from pipeline.export.int8.steps.ranges import best_range
from pipeline.tflite.edit import (
    Array,
    activation_of,
    constant,
    consumers,
    duplicate,
    name_of,
    set_constant,
)
from pipeline.tflite.flatbuffer import Model, shape_of, text

if TYPE_CHECKING:
    from pipeline.export.int8.activation_statistics import Statistics

Float64 = npt.NDArray[np.float64]

_WEIGHTS, _BIAS = 1, 2
# Linear, ReLU and ReLU6 leave a shifted value shifted, but for a quarter of a step at their bends.
_ACTIVATIONS = (0, 1, 3)
_MOST_COPIES = 16
# Kernels compute channels by eights.
_TOGETHER = 8
_LEVELS = 255


@dataclass(frozen=True)
class _Chain:
    """Hold the first convolution, the depthwise layer that reads it, and the layer after that."""

    first: Any
    depthwise: Any
    reader: Any


def dither(model: Model, statistics: Statistics) -> Model:
    """Return a float model of the same function whose first convolution has copies of channels.

    A model without a first convolution that one depthwise layer reads, as MobileNet has it, is
    returned as it is.

    Args:
        model: a float32 model; it is not changed.
        statistics: of its activations; they give the step of rounding.
    """
    wider = duplicate(model)
    chain = _chain(wider)
    if chain is None:
        return model
    tensors = wider.subgraphs[0].tensors
    weights, bias = _constants(wider, chain.first)
    filters, filter_bias = _constants(wider, chain.depthwise)
    reading, _ = _constants(wider, chain.reader)
    low, high = best_range(statistics[text(tensors[int(chain.first.outputs[0])].name)])
    quarter = np.float32((high - low) / _LEVELS / 4)
    copied = worst_channels(filters, reading, copies_of(len(weights)))
    shifted = bias.copy()
    shifted[copied] += quarter
    halved = reading.copy()
    halved[..., copied] /= 2
    _store(wider, chain.first, np.concatenate([weights, weights[copied]]))
    _store(wider, chain.first, np.concatenate([shifted, bias[copied] - quarter]), _BIAS)
    _store(wider, chain.depthwise, np.concatenate([filters, filters[..., copied]], axis=-1))
    _store(wider, chain.depthwise, np.concatenate([filter_bias, filter_bias[copied]]), _BIAS)
    _store(wider, chain.reader, np.concatenate([halved, halved[..., copied]], axis=-1))
    for operator in (chain.first, chain.depthwise):
        _widen(tensors[int(operator.outputs[0])], len(copied))
    return wider


def applies(model: Model) -> bool:
    """Return whether a float model has channels to copy."""
    return _chain(model) is not None


def copies_of(channels: int) -> int:
    """Return how many of the channels get a copy: half of them, by eights, sixteen at most."""
    half = min(channels // 2, _MOST_COPIES)
    return half // _TOGETHER * _TOGETHER or half


def worst_channels(filters: Array, reading: Array, count: int) -> npt.NDArray[np.int64]:
    """Return the channels that pass most of their rounding on, in rising order.

    Args:
        filters: (1, height, width, channels), of the depthwise layer.
        reading: (outputs, ..., channels), of the layer after it.
        count: how many, at most the channels.
    """
    absolute = np.abs(filters.astype(np.float64)).sum(axis=(0, 1, 2))
    squares = reading.astype(np.float64).reshape(-1, reading.shape[-1]) ** 2
    passed = absolute * np.sqrt(squares.sum(axis=0))
    return np.sort(np.argsort(-passed, kind="stable")[:count])


def _chain(model: Model) -> _Chain | None:
    main, readers = model.subgraphs[0], consumers(model)
    first = next((one for one in main.operators if name_of(model, one) in WEIGHTED), None)
    if first is None or name_of(model, first) != "CONV_2D":
        return None
    depthwise = _only_reader(model, first, readers)
    if depthwise is None or name_of(model, depthwise) != "DEPTHWISE_CONV_2D":
        return None
    reader = _only_reader(model, depthwise, readers)
    if reader is None or name_of(model, reader) != "CONV_2D":
        return None
    channels = shape_of(main.tensors[int(first.outputs[0])])[-1]
    whole = shape_of(main.tensors[int(reader.inputs[_WEIGHTS])])[-1] == channels
    plain = int(depthwise.builtinOptions.depthMultiplier) == 1
    bends = all(activation_of(one) in _ACTIVATIONS for one in (first, depthwise))
    biased = all(len(one.inputs) > _BIAS and one.inputs[_BIAS] >= 0 for one in (first, depthwise))
    written = {int(j) for one in (first, depthwise) for j in one.outputs}
    if not (whole and plain and bends and biased) or written & {int(j) for j in main.outputs}:
        return None
    return _Chain(first, depthwise, reader) if copies_of(channels) else None


def _only_reader(model: Model, operator: Any, readers: dict[int, list[int]]) -> Any | None:
    found = readers.get(int(operator.outputs[0]), [])
    return model.subgraphs[0].operators[found[0]] if len(found) == 1 else None


def _constants(model: Model, operator: Any) -> tuple[Array, Array]:
    tensors = model.subgraphs[0].tensors
    found = []
    for position in (_WEIGHTS, _BIAS):
        values = constant(model, tensors[int(operator.inputs[position])])
        assert values is not None
        found.append(values)
    return found[0], found[1]


def _store(model: Model, operator: Any, values: Array, position: int = _WEIGHTS) -> None:
    """Store weights or a bias of another number of channels."""
    tensor = model.subgraphs[0].tensors[int(operator.inputs[position])]
    tensor.shape, tensor.shapeSignature = list(values.shape), None
    set_constant(model, tensor, np.ascontiguousarray(values, np.float32))


def _widen(tensor: Any, channels: int) -> None:
    shape = shape_of(tensor)
    tensor.shape, tensor.shapeSignature = [*shape[:-1], shape[-1] + channels], None


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, prepares=(*plan.prepares, dither))


STEP = RepairStep(
    name=Step.dither,
    source="Schuchman 1964, IEEE Trans. Commun. Technol. 12; Nagel et al. 2021, arXiv 2106.08295",
    apply=_apply,
    applies=applies,
    min_gain=0.05,
)
