"""Rescale channels between layers so that all of them use the 8 bits of their tensor.

Nagel et al. 2019, arXiv 1906.04721, section 4.1. Scaling a channel up where it is written and down
where it is read changes nothing in floats. Between a layer with ReLU6 and a depthwise layer both
sides have a weight scale for each channel, so raising a channel until it just reaches 6 costs
nothing; a channel that already reaches 6 stays. A linear bottleneck may be scaled freely, but
every tensor of a residual chain shares the scale, and the readers' weights lose what the
activation gains, hence the square root.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep
from pipeline.tflite.edit import (
    activation_of,
    constant,
    consumers,
    duplicate,
    name_of,
    producers,
    set_constant,
)
from pipeline.tflite.flatbuffer import Model, shape_of, text

if TYPE_CHECKING:
    from pipeline.export.int8.activation_statistics import Statistics

Float64 = npt.NDArray[np.float64]

_LINEAR, _RELU6 = 0, 3
_CAP = 6.0
_LARGEST_FACTOR = 64.0
_WEIGHTS, _BIAS = 1, 2
_CONVOLUTIONS = ("CONV_2D", "DEPTHWISE_CONV_2D")


def equalize(model: Model, statistics: Statistics) -> Model:
    """Return a float model of the same function whose channels are of more even size.

    Args:
        model: a float32 model; it is not changed.
        statistics: of its activations. Values beyond them may be cut off at 6 earlier.
    """
    equal = duplicate(model)
    _equalize_relu6(equal, statistics)
    _equalize_bottlenecks(equal, statistics)
    return equal


def relu6_factors(channel_high: npt.NDArray[np.float32]) -> Float64:
    """Return by how much each channel may grow before it reaches 6; 1 for one that does."""
    reached = np.maximum(channel_high.astype(np.float64), _CAP / _LARGEST_FACTOR)
    return np.maximum(_CAP / reached, 1.0)


def bottleneck_factors(reach: Float64) -> Float64:
    """Return the factor of each channel of a linear tensor.

    Args:
        reach: each channel's largest absolute value, as a share of the tensor's, 0 to 1.
    """
    return np.sqrt(1.0 / np.maximum(reach, 1.0 / _LARGEST_FACTOR))


def _equalize_relu6(model: Model, statistics: Statistics) -> None:
    main, readers = model.subgraphs[0], consumers(model)
    for tensor, writer in producers(model).items():
        operator = main.operators[writer]
        if name_of(model, operator) not in _CONVOLUTIONS or activation_of(operator) != _RELU6:
            continue
        readers_here = readers.get(tensor, [])
        if len(readers_here) != 1 or not _is_plain_depthwise(model, readers_here[0]):
            continue
        factors = relu6_factors(statistics[text(main.tensors[tensor].name)].channel_high)
        _scale_written(model, writer, factors)
        _scale_read(model, readers_here[0], factors)


def _equalize_bottlenecks(model: Model, statistics: Statistics) -> None:
    main, readers, writers = model.subgraphs[0], consumers(model), producers(model)
    outputs = set(map(int, main.outputs))
    for chain in _residual_chains(model):
        users = {
            reader
            for tensor in chain
            for reader in readers.get(tensor, [])
            if name_of(model, main.operators[reader]) != "ADD"
        }
        whole = all(
            _reads_all_channels(model, user, shape_of(main.tensors[chain[0]])) for user in users
        )
        if not users or not whole or outputs & set(chain):
            continue
        reach = []
        for tensor in chain:
            seen = statistics[text(main.tensors[tensor].name)]
            largest = np.maximum(np.abs(seen.channel_low), np.abs(seen.channel_high))
            reach.append(largest.astype(np.float64) / max(float(largest.max()), 1e-12))
        factors = bottleneck_factors(np.max(reach, axis=0))
        for tensor in chain:
            if name_of(model, main.operators[writers[tensor]]) == "CONV_2D":
                _scale_written(model, writers[tensor], factors)
        for user in users:
            _scale_read(model, user, factors)


def _residual_chains(model: Model) -> list[list[int]]:
    """Group the linear tensors that additions tie together."""
    main, writers = model.subgraphs[0], producers(model)
    linear = {
        tensor
        for tensor, writer in writers.items()
        if name_of(model, main.operators[writer]) in ("CONV_2D", "ADD")
        and activation_of(main.operators[writer]) == _LINEAR
    }
    leader = {tensor: tensor for tensor in linear}

    def find(tensor: int) -> int:
        while leader[tensor] != tensor:
            tensor = leader[tensor]
        return tensor

    tied_outside = set()
    for operator in main.operators:
        if name_of(model, operator) != "ADD":
            continue
        tied = [int(j) for j in (*operator.inputs, *operator.outputs)]
        inside = [j for j in tied if j in linear]
        for j in inside[1:]:
            leader[find(j)] = find(inside[0])
        if len(inside) < len(tied):
            tied_outside |= set(inside)
    chains: dict[int, list[int]] = defaultdict(list)
    for tensor in sorted(linear):
        chains[find(tensor)].append(tensor)
    return [chain for chain in chains.values() if not tied_outside & set(chain)]


def _reads_all_channels(model: Model, index: int, shape: tuple[int, ...]) -> bool:
    """Return whether an operator is a convolution without groups, which may be given factors."""
    main = model.subgraphs[0]
    operator = main.operators[index]
    if name_of(model, operator) != "CONV_2D":
        return False
    return shape_of(main.tensors[int(operator.inputs[_WEIGHTS])])[-1] == shape[-1]


def _is_plain_depthwise(model: Model, index: int) -> bool:
    operator = model.subgraphs[0].operators[index]
    if name_of(model, operator) != "DEPTHWISE_CONV_2D":
        return False
    return int(operator.builtinOptions.depthMultiplier) == 1


def _scale_written(model: Model, index: int, factors: Float64) -> None:
    main = model.subgraphs[0]
    operator = main.operators[index]
    weights_at = main.tensors[int(operator.inputs[_WEIGHTS])]
    weights = constant(model, weights_at)
    assert weights is not None
    shape = [1] * weights.ndim
    shape[-1 if name_of(model, operator) == "DEPTHWISE_CONV_2D" else 0] = -1
    set_constant(model, weights_at, (weights * factors.reshape(shape)).astype(np.float32))
    # A layer may have no bias at all, or -1 in its place: zero times any factor.
    if len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0:
        bias_at = main.tensors[int(operator.inputs[_BIAS])]
        bias = constant(model, bias_at)
        assert bias is not None
        set_constant(model, bias_at, (bias * factors).astype(np.float32))


def _scale_read(model: Model, index: int, factors: Float64) -> None:
    # The input channel is the last axis of both kinds of convolution.
    main = model.subgraphs[0]
    tensor = main.tensors[int(main.operators[index].inputs[_WEIGHTS])]
    weights = constant(model, tensor)
    assert weights is not None
    set_constant(model, tensor, (weights / factors).astype(np.float32))


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, prepares=(*plan.prepares, equalize))


STEP = RepairStep(
    name=Step.equalization,
    source="Nagel et al. 2019, arXiv 1906.04721, section 4.1",
    apply=_apply,
)
