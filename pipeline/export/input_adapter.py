"""Let a float graph take what a phone feeds: RGB pixels with one mean and one standard deviation.

A Keras model may want BGR, a mean for each channel, or raw pixels that it scales itself. All of
that is affine in the pixel and done before the first real operator, so it is computed here as one
scale and one offset for each channel. Where they are the same for all three, the operators that
did it go and the phone's normalization does the same; where they are not, one 1x1 convolution in
front does it exactly: padding comes after it, as in the model.

For int8 that convolution would round each channel again, so `fold_input_convolution` puts it into
the first real convolution instead. That is exact but for padded borders, where a padded pixel is
then the phone's mean instead of each channel's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.normalization import Normalization, UniformNormalization
from pipeline.tflite.edit import (
    Array,
    activation_of,
    add_activation,
    add_constant,
    constant,
    consumers,
    duplicate,
    insert_operator,
    name_of,
    set_constant,
    set_kind,
)
from pipeline.tflite.flatbuffer import Model, dtype_name, shape_of

Float64 = npt.NDArray[np.float64]

# Raise it when `adapt_input` makes other graphs: it is part of the cache key.
ADAPTER_REVISION = 1
_CHANNELS = 3
_LINEAR = 0
_VALID = 1
INPUT_CONVOLUTION_TENSOR = "image_normalized"
# What float32 arithmetic in the graph may be off: 1/127.5 gives 127.49999.
_SNAP = 2e-4


@dataclass(frozen=True)
class AdaptedModel:
    """Hold a float graph and the normalization of the pixels it now takes."""

    model: Model
    normalization: UniformNormalization


@dataclass(frozen=True)
class _Affine:
    """Hold value = scale * input + offset by channel, float64 (3,), and where it ends."""

    scale: Float64
    offset: Float64
    tensor: int
    operators: tuple[int, ...]


def adapt_input(model: Model, normalization: Normalization) -> AdaptedModel:
    """Return a graph that takes RGB pixels with one mean and one standard deviation.

    Args:
        model: a float32 graph of one input (1, height, width, 3); it is not changed.
        normalization: what the graph takes now.
    """
    adapted = duplicate(model)
    prefix = _affine_prefix(adapted)
    mean, std = np.array(normalization.mean), np.array(normalization.std)
    # scale * (pixel - mean) / std + offset = (pixel - centre) / spread
    spread = std / prefix.scale
    centre = mean - prefix.offset * spread
    swapped = normalization.channels == "BGR"
    uniform = np.ptp(spread) <= _SNAP and np.ptp(centre) <= _SNAP and not swapped
    shared = _shared(centre, spread)
    if uniform and _close(shared, centre, spread):
        _bypass(adapted, prefix)
        return AdaptedModel(adapted, shared)
    order = [2, 1, 0] if swapped else [0, 1, 2]
    weights = np.zeros((_CHANNELS, 1, 1, _CHANNELS))
    for channel, source in enumerate(order):
        weights[channel, 0, 0, source] = shared.std / spread[channel]
    bias = (shared.mean - centre) / spread
    _bypass(adapted, prefix)
    _insert_convolution(adapted, weights.astype(np.float32), bias.astype(np.float32))
    return AdaptedModel(adapted, shared)


def fold_input_convolution(model: Model) -> Model:
    """Return the graph with `adapt_input`'s convolution folded into the convolutions that read it.

    A graph that has none, or where something else reads it, is returned as it is.
    """
    main = model.subgraphs[0]
    first = main.operators[0]
    entry = int(main.inputs[0])
    if name_of(model, first) != "CONV_2D" or int(first.inputs[0]) != entry:
        return model
    weights = constant(model, main.tensors[int(first.inputs[1])])
    if weights is None or weights.shape != (_CHANNELS, 1, 1, _CHANNELS):
        return model
    if activation_of(first) != _LINEAR or consumers(model)[entry] != [0]:
        return model
    readers = _convolutions_after(model, int(first.outputs[0]))
    if readers is None:
        return model
    folded = duplicate(model)
    _fold(folded, readers)
    _take_out(folded, 0, entry)
    return folded


def _affine_prefix(model: Model) -> _Affine:
    """Follow the operators that only scale and shift the input, by channel."""
    main = model.subgraphs[0]
    tensor = int(main.inputs[0])
    scale, offset = np.ones(_CHANNELS), np.zeros(_CHANNELS)
    taken: list[int] = []
    while len(readers := consumers(model).get(tensor, [])) == 1:
        operator = main.operators[readers[0]]
        step = _affine_step(model, operator, tensor)
        if step is None:
            break
        scale, offset = step[0] * scale, step[0] * offset + step[1]
        taken.append(readers[0])
        tensor = int(operator.outputs[0])
    if (scale <= 0).any():
        # A model that mirrors brightness is left as it is, operators and all.
        return _Affine(np.ones(_CHANNELS), np.zeros(_CHANNELS), int(main.inputs[0]), ())
    return _Affine(scale, offset, tensor, tuple(taken))


def _affine_step(model: Model, operator: Any, tensor: int) -> tuple[Float64, Float64] | None:
    name = name_of(model, operator)
    if name not in ("ADD", "SUB", "MUL", "DIV") or activation_of(operator) != _LINEAR:
        return None
    left, right = (int(j) for j in operator.inputs)
    other = right if left == tensor else left
    values = constant(model, model.subgraphs[0].tensors[other])
    if values is None or values.size not in (1, _CHANNELS) or values.dtype != np.float32:
        return None
    if values.size == _CHANNELS and values.shape[-1] != _CHANNELS:
        return None
    by_channel = np.broadcast_to(values.reshape(-1), (_CHANNELS,)).astype(np.float64)
    ones, zeros = np.ones(_CHANNELS), np.zeros(_CHANNELS)
    if name == "ADD":
        return ones, by_channel
    if name == "MUL":
        return by_channel, zeros
    if left != tensor:
        # A constant minus, or over, the image.
        return (-ones, by_channel) if name == "SUB" else None
    return (ones, -by_channel) if name == "SUB" else (1 / by_channel, zeros)


def _shared(centre: Float64, spread: Float64) -> UniformNormalization:
    mean = min(255.0, max(0.0, _snapped(float(centre.mean()))))
    std = min(255.0, _snapped(float(spread.mean())))
    return UniformNormalization(mean=mean, std=std)


def _snapped(value: float) -> float:
    near = round(2 * value) / 2
    return near if near and abs(near - value) <= _SNAP else value


def _close(shared: UniformNormalization, centre: Float64, spread: Float64) -> bool:
    return bool(
        np.allclose(centre, shared.mean, rtol=0, atol=_SNAP)
        and np.allclose(spread, shared.std, rtol=0, atol=_SNAP)
    )


def _bypass(model: Model, prefix: _Affine) -> None:
    """Let what read the end of the prefix read the input, and take its operators out."""
    main = model.subgraphs[0]
    entry = int(main.inputs[0])
    if not prefix.operators:
        return
    for operator in main.operators:
        operator.inputs = [entry if int(j) == prefix.tensor else int(j) for j in operator.inputs]
    main.operators = [
        operator for index, operator in enumerate(main.operators) if index not in prefix.operators
    ]


def _insert_convolution(model: Model, weights: Array, bias: Array) -> None:
    main = model.subgraphs[0]
    entry = int(main.inputs[0])
    out = add_activation(model, INPUT_CONVOLUTION_TENSOR, shape_of(main.tensors[entry]))
    weights_at = add_constant(model, f"{INPUT_CONVOLUTION_TENSOR}/weights", weights)
    bias_at = add_constant(model, f"{INPUT_CONVOLUTION_TENSOR}/bias", bias)
    for operator in main.operators:
        operator.inputs = [out if int(j) == entry else int(j) for j in operator.inputs]
    convolution = insert_operator(model, 0, [entry, weights_at, bias_at], out)
    set_kind(model, convolution, "CONV_2D", "Conv2DOptions")
    options = convolution.builtinOptions
    options.padding, options.strideH, options.strideW = _VALID, 1, 1
    options.dilationHFactor = options.dilationWFactor = 1
    options.fusedActivationFunction = _LINEAR


def _convolutions_after(model: Model, tensor: int) -> list[int] | None:
    """Return the convolutions that read a tensor, through padding too; None if others do."""
    found: list[int] = []
    for reader in consumers(model).get(tensor, []):
        operator = model.subgraphs[0].operators[reader]
        if name_of(model, operator) == "PAD":
            behind = _convolutions_after(model, int(operator.outputs[0]))
            if behind is None:
                return None
            found += behind
        elif name_of(model, operator) == "CONV_2D" and len(operator.inputs) > 2:
            found.append(reader)
        else:
            return None
    return found or None


def _fold(model: Model, readers: list[int]) -> None:
    main = model.subgraphs[0]
    first = main.operators[0]
    kernel, shift = (
        constant(model, main.tensors[int(first.inputs[position])]) for position in (1, 2)
    )
    assert kernel is not None
    assert shift is not None
    mixing, added = kernel[:, 0, 0, :].astype(np.float64), shift.astype(np.float64)
    for reader in readers:
        operator = main.operators[reader]
        weights_at, bias_at = (main.tensors[int(operator.inputs[p])] for p in (1, 2))
        weights, bias = constant(model, weights_at), constant(model, bias_at)
        assert weights is not None
        assert bias is not None
        mixed = weights.astype(np.float64) @ mixing
        moved = bias + (weights.astype(np.float64) @ added).sum(axis=(1, 2))
        set_constant(model, weights_at, mixed.astype(np.float32))
        set_constant(model, bias_at, moved.astype(np.float32))


def _take_out(model: Model, index: int, replaced_by: int) -> None:
    main = model.subgraphs[0]
    gone = int(main.operators[index].outputs[0])
    main.operators = [op for position, op in enumerate(main.operators) if position != index]
    for operator in main.operators:
        operator.inputs = [replaced_by if int(j) == gone else int(j) for j in operator.inputs]


def takes_rgb_floats(model: Model) -> bool:
    """Return whether a graph has one float32 input of shape (1, height, width, 3)."""
    main = model.subgraphs[0]
    if len(main.inputs) != 1:
        return False
    entry = main.tensors[int(main.inputs[0])]
    shape = shape_of(entry)
    return dtype_name(entry) == "float32" and len(shape) == 4 and shape[3] == _CHANNELS
