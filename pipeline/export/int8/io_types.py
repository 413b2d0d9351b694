"""Give an int8 graph the input and output types that were asked for, exact on pixels."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.export.int8.mean_rounding import whole_mean
from pipeline.export.int8.operators import CONVERSIONS
from pipeline.export.int8.value_range import Range
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize
from pipeline.tflite.edit import Array, name_of, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, text

_LOWEST, _STEPS = -128, 255
_INT8_TO_UINT8 = 128


def input_range(image: ImageContract, io: Io) -> Range:
    """Return the real range of the int8 input tensor inside the graph.

    For uint8 one step is one pixel value, so raw bytes pass unchanged; the zero point is the mean
    rounded to a whole number, and `absorb_mean_rounding` makes up for the rest. For int8 and
    float32, whose values are computed as (pixel - mean) / std, 254 steps span the range: with 255
    every pixel value would lie half way between two steps when the mean is 127.5, and each runtime
    breaks such ties differently.
    """
    if io is Io.uint8:
        lowest = -whole_mean(image) / image.std
        return lowest, lowest + _STEPS / image.std
    low, high = image.float_range
    scale = (high - low) / (_STEPS - 1)
    return low - scale, high


def to_int8(pixels: Array, image: ImageContract, io: Io, scale: float, zero: int) -> Array:
    """Return what reaches the int8 graph for pixels, as the runtimes compute it.

    Args:
        pixels: uint8, of any shape, 0 to 255.
        image: gives the normalization.
        io: the file's input type.
        scale: of the int8 graph's input tensor.
        zero: its zero point.

    Returns:
        int8 in the shape of `pixels`.
    """
    if io is Io.uint8:
        raw: Array = (pixels.astype(np.int16) - _INT8_TO_UINT8).astype(np.int8)
        return raw
    # float32 and half-to-even, as the runtimes do it.
    steps = np.rint(normalize(pixels, image) / np.float32(scale)) + np.float32(zero)
    stored: Array = np.clip(steps, _LOWEST, _LOWEST + _STEPS).astype(np.int8)
    return stored


def set_io_type(model: Model, io: Io) -> None:
    """Put QUANTIZE and DEQUANTIZE around the graph, in place: the file takes and gives `io`.

    The file's input and output tensors keep the names of the graph's; what is int8 inside is
    called after them.
    """
    if io is Io.int8:
        return
    main = model.subgraphs[0]
    inner_input, inner_output = int(main.inputs[0]), int(main.outputs[0])
    outer_input, outer_output = (_as_type(model, j, io) for j in (inner_input, inner_output))
    first = _conversion(model, "QUANTIZE", outer_input, inner_input)
    kind = "DEQUANTIZE" if io is Io.float32 else "QUANTIZE"
    last = _conversion(model, kind, inner_output, outer_output)
    main.operators = [first, *main.operators, last]
    main.inputs, main.outputs = [outer_input], [outer_output]
    for signature in model.signatureDefs or ():
        for entries, inner, outer in (
            (signature.inputs, inner_input, outer_input),
            (signature.outputs, inner_output, outer_output),
        ):
            for entry in entries:
                if entry.tensorIndex == inner:
                    entry.tensorIndex = outer


def inner_output(model: Model) -> int:
    """Return the tensor that holds the answer before `set_io_type` converts it."""
    main = model.subgraphs[0]
    output = int(main.outputs[0])
    for operator in main.operators:
        if output in map(int, operator.outputs) and name_of(model, operator) in CONVERSIONS:
            return int(operator.inputs[0])
    return output


def int8_batch(pixels: Pixels | Array, image: ImageContract, io: Io, model: Model) -> Array:
    """Return what the graph's own int8 input holds for a batch of resized pixels."""
    main = model.subgraphs[0]
    scale, zero_point = scale_and_zero_point(main.tensors[int(main.inputs[0])])
    return to_int8(np.asarray(pixels), image, io, scale, zero_point)


def _as_type(model: Model, index: int, io: Io) -> int:
    """Add a tensor that stands for the int8 one at `index` in another type, under its name."""
    from ai_edge_litert import schema_py_generated as schema

    tensors = model.subgraphs[0].tensors
    tensor: Any = copy.copy(tensors[index])
    scale, zero_point = scale_and_zero_point(tensor)
    tensor.buffer = 0
    tensor.quantization = schema.QuantizationParametersT()
    if io is Io.uint8:
        tensor.type = schema.TensorType.UINT8
        tensor.quantization.scale = [scale]
        tensor.quantization.zeroPoint = [zero_point + _INT8_TO_UINT8]
    else:
        tensor.type = schema.TensorType.FLOAT32
    # Names are unique in a graph.
    tensors[index].name = f"{text(tensor.name)}_int8"
    tensors.append(tensor)
    return len(tensors) - 1


def _conversion(model: Model, name: str, source: int, target: int) -> Any:
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
