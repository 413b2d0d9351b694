"""Write the operator versions that the element types of a graph need, and the oldest runtime.

A runtime refuses an operator version it does not know, and only that keeps an old one from
running an int8 graph as if it were float. litert-quantizer leaves the float graph's versions.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from pipeline.errors import BadInput
from pipeline.tflite.edit import name_of, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, dtype_name, text
from pipeline.tflite.graph import operator_name
from pipeline.tflite.runtime_versions import runtime_of, version_key

# From TensorFlow's lite/tools/versioning/op_version.cc: the version from which an operator takes
# int8; `tests/export/int8/test_operators.py` compares with what the converter itself writes.
# Per-tensor dense weights keep FULLY_CONNECTED at 4. What a version stands for otherwise, as
# groups, dilation or half-pixel centres, is in the float graph's version already.
_INT8_VERSION = {
    "ADD": 2,
    "AVERAGE_POOL_2D": 2,
    "BATCH_MATMUL": 2,
    "CONCATENATION": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
    "DEQUANTIZE": 2,
    "FULLY_CONNECTED": 4,
    "GELU": 2,
    "HARD_SWISH": 1,
    "LOGISTIC": 2,
    "MAXIMUM": 2,
    "MAX_POOL_2D": 2,
    "MEAN": 2,
    "MUL": 2,
    "PACK": 2,
    "PAD": 2,
    "QUANTIZE": 1,
    "RELU": 2,
    "RELU6": 2,
    "RESHAPE": 1,
    "RESIZE_BILINEAR": 2,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "RSQRT": 2,
    "SLICE": 2,
    "SOFTMAX": 2,
    "SPLIT": 2,
    "SQUARED_DIFFERENCE": 2,
    "SQUEEZE": 1,
    "STRIDED_SLICE": 2,
    "SUB": 2,
    "SUM": 2,
    "TANH": 2,
    "TRANSPOSE": 2,
}
# The same source: a product whose steps are finer than its output's needs no rescale below 1.
_MUL_RESCALED_UP = 3
_FLOAT16_DEQUANTIZE = 3
# The same source: of float activations and int8 weights, with a scale for each channel of a
# convolution and one for a dense layer, whose activations are rounded about their own middle.
_DYNAMIC_VERSION = {"CONV_2D": 5, "DEPTHWISE_CONV_2D": 6, "FULLY_CONNECTED": 9}
_MIN_RUNTIME = "min_runtime_version"
# The converter pads the version to this many bytes.
_MIN_RUNTIME_BYTES = 16


def write_versions(model: Model) -> None:
    """Give every operator the version its types need, and write the oldest runtime with them all.

    Raises:
        BadInput: the version of an int8 operator is not known.
    """
    main = model.subgraphs[0]
    codes: dict[tuple[str, int], int] = {}
    kept: list[Any] = []
    for operator in main.operators:
        old = model.operatorCodes[operator.opcodeIndex]
        key = (name_of(model, operator), _version(model, operator, old))
        if key not in codes:
            code = copy.copy(old)
            code.version = key[1]
            codes[key] = len(kept)
            kept.append(code)
        operator.opcodeIndex = codes[key]
    model.operatorCodes = kept
    runtimes = [runtime_of(operator_name(code)[0], code.version) for code in kept]
    known = [runtime for runtime in runtimes if runtime is not None]
    if len(known) == len(kept):
        _write_oldest(model, max(known, key=version_key))


def _version(model: Model, operator: Any, old: Any) -> int:
    tensors = model.subgraphs[0].tensors
    touched = [tensors[int(j)] for j in (*operator.inputs, *operator.outputs) if j >= 0]
    dtypes = {dtype_name(tensor) for tensor in touched}
    name = name_of(model, operator)
    if name == "DEQUANTIZE" and "float16" in dtypes:
        return _FLOAT16_DEQUANTIZE
    if "int8" not in dtypes and "uint8" not in dtypes:
        return int(old.version)
    if name in _DYNAMIC_VERSION and dtype_name(touched[0]) == "float32":
        return max(int(old.version), _DYNAMIC_VERSION[name])
    if name not in _INT8_VERSION:
        raise BadInput(
            "it is not known which runtimes run an operator of this model in int8",
            expected=f"one of {', '.join(sorted(_INT8_VERSION))}",
            got=name,
            next_step="pipeline export --quantize float16",
        )
    if name == "MUL" and _rescales_up(touched):
        return _MUL_RESCALED_UP
    return max(int(old.version), _INT8_VERSION[name])


def _rescales_up(tensors: list[Any]) -> bool:
    first, second, product = (scale_and_zero_point(tensor)[0] for tensor in tensors)
    # The source computes in float32.
    return bool(np.float32(first) * np.float32(second) / np.float32(product) >= 1)


def _write_oldest(model: Model, version: str) -> None:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    stored = version.encode("ascii").ljust(_MIN_RUNTIME_BYTES, b"\0")
    buffer.data = np.frombuffer(stored, np.uint8)
    for entry in model.metadata or ():
        if text(entry.name) == _MIN_RUNTIME:
            model.buffers[entry.buffer] = buffer
            return
    entry = schema.MetadataT()
    entry.name, entry.buffer = _MIN_RUNTIME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or ()), entry]
