"""Give an int8 graph the input and output types that were asked for, exact on grey levels."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.int8.ranges import Range
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize
from pipeline.tflite.edit import Array, constant, name_of, scale_and_zero_point, set_constant
from pipeline.tflite.flatbuffer import Model

_LOWEST, _STEPS = -128, 255
_INT8_TO_UINT8 = 128


def input_range(image: ImageContract, io: Io) -> Range:
    """Return the real range of the int8 input tensor inside the graph.

    For uint8 one step is one grey level, so raw bytes pass unchanged; the zero point is the mean
    rounded to a whole level, and `absorb_half_level` makes up for the rest. For int8 and float32,
    whose values are computed as (level - mean) / std, 254 steps span the range: with 255 every
    level would lie half way between two steps when the mean is 127.5, and each runtime breaks
    such ties its own way.
    """
    if io is Io.uint8:
        lowest = -_whole_mean(image) / image.std
        return lowest, lowest + _STEPS / image.std
    low, high = image.float_range
    scale = (high - low) / (_STEPS - 1)
    return low - scale, high


def input_tensor(levels: Array, image: ImageContract, io: Io, scale: float, zero: int) -> Array:
    """Return what reaches the int8 graph for grey levels, int8 in the shape of `levels`."""
    if io is Io.uint8:
        raw: Array = (levels.astype(np.int16) - _INT8_TO_UINT8).astype(np.int8)
        return raw
    # float32 and half-to-even, as the runtimes do it.
    steps = np.rint(normalize(levels, image) / np.float32(scale)) + np.float32(zero)
    stored: Array = np.clip(steps, _LOWEST, _LOWEST + _STEPS).astype(np.int8)
    return stored


def absorb_half_level(model: Model, image: ImageContract) -> None:
    """Add to the first bias what raw uint8 grey levels are off.

    127.5 is no integer, so a uint8 input stands for (level - 128) / std where
    (level - 127.5) / std is meant. A layer that is linear in its input is off by that half level
    times the sum of its weights, which its bias takes up; padded borders keep a share of it.

    Raises:
        BadInput: the first operator is not a convolution, so nothing can take it up.
    """
    shift = (_whole_mean(image) - image.mean) / image.std
    if shift == 0:
        return
    main = model.subgraphs[0]
    for operator in _readers(model, int(main.inputs[0])):
        if name_of(model, operator) != "CONV_2D" or len(operator.inputs) < 3:
            raise BadInput(
                "a uint8 input needs a convolution first, whose bias takes up half a grey level",
                expected="CONV_2D",
                got=name_of(model, operator),
                next_step="pipeline export --quantize int8 --io float32",
            )
        weights_at = _stored_at(model, int(operator.inputs[1]))
        bias_at = main.tensors[int(operator.inputs[2])]
        weights, bias = constant(model, weights_at), constant(model, bias_at)
        assert weights is not None
        assert bias is not None
        total = weights.astype(np.float64).sum(axis=(1, 2, 3))
        if bias.dtype == np.float32:
            # A layer left in floats.
            set_constant(model, bias_at, (bias + total * shift).astype(np.float32))
            continue
        scales = np.asarray(weights_at.quantization.scale, np.float64)
        steps = np.rint(total * scales * shift / np.asarray(bias_at.quantization.scale))
        set_constant(model, bias_at, (bias + steps).astype(np.int32))


def _readers(model: Model, tensor: int) -> Iterator[Any]:
    for operator in model.subgraphs[0].operators:
        if tensor in map(int, operator.inputs):
            if name_of(model, operator) == "DEQUANTIZE":
                yield from _readers(model, int(operator.outputs[0]))
            else:
                yield operator


def _stored_at(model: Model, tensor: int) -> Any:
    """Return the tensor that holds a constant, which float16 weights reach through DEQUANTIZE."""
    main = model.subgraphs[0]
    for operator in main.operators:
        if tensor in map(int, operator.outputs):
            return main.tensors[int(operator.inputs[0])]
    return main.tensors[tensor]


def give_ends(model: Model, io: Io) -> None:
    """Put QUANTIZE and DEQUANTIZE at the ends, so that the file takes and gives `io`."""
    if io is Io.int8:
        return
    main = model.subgraphs[0]
    inner_in, inner_out = int(main.inputs[0]), int(main.outputs[0])
    outer_in = _twin(model, inner_in, io, "image")
    outer_out = _twin(model, inner_out, io, "probability")
    first = _bridge(model, "QUANTIZE", outer_in, inner_in)
    back = "DEQUANTIZE" if io is Io.float32 else "QUANTIZE"
    last = _bridge(model, back, inner_out, outer_out)
    main.operators = [first, *main.operators, last]
    main.inputs, main.outputs = [outer_in], [outer_out]
    for signature in model.signatureDefs or ():
        for entries, inner, outer in (
            (signature.inputs, inner_in, outer_in),
            (signature.outputs, inner_out, outer_out),
        ):
            for entry in entries:
                if entry.tensorIndex == inner:
                    entry.tensorIndex = outer


def _whole_mean(image: ImageContract) -> int:
    return math.floor(image.mean + 0.5)


def _twin(model: Model, index: int, io: Io, name: str) -> int:
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    tensor: Any = copy.copy(tensors[index])
    scale, zero_point = scale_and_zero_point(tensor)
    tensor.name, tensor.buffer = name, 0
    tensor.quantization = schema.QuantizationParametersT()
    if io is Io.uint8:
        tensor.type = schema.TensorType.UINT8
        tensor.quantization.scale = [scale]
        tensor.quantization.zeroPoint = [zero_point + _INT8_TO_UINT8]
    else:
        tensor.type = schema.TensorType.FLOAT32
    tensors.append(tensor)
    return len(tensors) - 1


def _bridge(model: Model, name: str, source: int, target: int) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    number = getattr(schema.BuiltinOperator, name)
    code = schema.OperatorCodeT()
    code.builtinCode, code.version = number, 1
    code.deprecatedBuiltinCode = min(number, 127)
    model.operatorCodes.append(code)
    operator = schema.OperatorT()
    operator.opcodeIndex = len(model.operatorCodes) - 1
    operator.inputs, operator.outputs = [source], [target]
    return operator


def int8_levels(levels: Pixels | Array, image: ImageContract, io: Io, model: Model) -> Array:
    """Return what the graph's own int8 input holds for a batch of grey levels."""
    main = model.subgraphs[0]
    scale, zero_point = scale_and_zero_point(main.tensors[int(main.inputs[0])])
    return input_tensor(np.asarray(levels), image, io, scale, zero_point)
