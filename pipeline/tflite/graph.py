"""Describe the graph of a `.tflite` file: tensors, quantization, operators, weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cache
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.contract.manifest import TensorInfo
from pipeline.tflite.flatbuffer import (
    Model,
    buffer_size_bytes,
    dtype_name,
    metadata_bytes,
    shape_of,
    text,
)
from pipeline.tflite.operators import Operator
from pipeline.tflite.runtime_versions import runtime_of

_FLOAT = frozenset({"float16", "float32", "float64", "bfloat16"})
# They convert between floats and integers, so they touch a float activation in an int8 graph too.
_CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
_MIN_RUNTIME = "min_runtime_version"


class Signature(Frozen):
    """Name inputs and outputs of the graph, as `image` and `probability`."""

    key: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


class Graph(Frozen):
    """Describe everything in a flatbuffer but its metadata.

    `float_operators` read or write a float activation, `QUANTIZE` and `DEQUANTIZE` left out: in
    a fully quantized graph there are none. `weight_bytes` sums the constants by element type.
    `per_channel_tensors` counts the constants with more than one scale.
    `converter_min_runtime` is what the converter wrote, empty where it wrote nothing.
    """

    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    signatures: tuple[Signature, ...]
    operators: tuple[Operator, ...]
    float_operators: tuple[Operator, ...]
    weight_bytes: dict[str, int]
    per_channel_tensors: int
    converter_min_runtime: str
    subgraphs: int

    @property
    def custom_operators(self) -> tuple[Operator, ...]:
        """Return the operators that no plain runtime has."""
        return tuple(operator for operator in self.operators if operator.custom)


def describe(model: Model, data: bytes) -> Graph:
    """Describe an unpacked model; inputs and outputs are those of its first subgraph."""
    main = model.subgraphs[0]
    minimum = metadata_bytes(model, _MIN_RUNTIME, data) or b""
    return Graph(
        inputs=tuple(_info(main.tensors[i]) for i in _listed(main.inputs)),
        outputs=tuple(_info(main.tensors[i]) for i in _listed(main.outputs)),
        signatures=tuple(_signature(s) for s in model.signatureDefs or ()),
        operators=_count(_all_operators(model), model),
        float_operators=_count(_touching_float(model), model),
        weight_bytes=_weight_bytes(model),
        per_channel_tensors=sum(
            len(_listed_scales(tensor)) > 1
            for subgraph in model.subgraphs
            for tensor in subgraph.tensors or ()
        ),
        converter_min_runtime=minimum.rstrip(b"\0").decode("ascii", errors="replace"),
        subgraphs=len(model.subgraphs),
    )


def _info(tensor: Any) -> TensorInfo:
    scales = _listed_scales(tensor)
    quantized = len(scales) == 1
    return TensorInfo(
        name=text(tensor.name),
        shape=shape_of(tensor),
        dtype=dtype_name(tensor),
        scale=float(scales[0]) if quantized else None,
        zero_point=int(tensor.quantization.zeroPoint[0]) if quantized else None,
    )


def _listed_scales(tensor: Any) -> list[float]:
    quantization = tensor.quantization
    if quantization is None or quantization.scale is None or quantization.zeroPoint is None:
        return []
    scales = [float(scale) for scale in quantization.scale]
    return scales if len(scales) == len(quantization.zeroPoint) else []


def _signature(definition: Any) -> Signature:
    return Signature(
        key=text(definition.signatureKey),
        inputs=tuple(text(entry.name) for entry in definition.inputs or ()),
        outputs=tuple(text(entry.name) for entry in definition.outputs or ()),
    )


def _all_operators(model: Model) -> Iterator[int]:
    for subgraph in model.subgraphs:
        for operator in subgraph.operators or ():
            yield operator.opcodeIndex


def _touching_float(model: Model) -> Iterator[int]:
    for subgraph in model.subgraphs:
        tensors = subgraph.tensors or ()
        for operator in subgraph.operators or ():
            name, _ = operator_name(model.operatorCodes[operator.opcodeIndex])
            if name in _CONVERSIONS:
                continue
            touched = (i for i in [*_listed(operator.inputs), *_listed(operator.outputs)] if i >= 0)
            if any(
                dtype_name(tensors[i]) in _FLOAT and not buffer_size_bytes(model, tensors[i].buffer)
                for i in touched
            ):
                yield operator.opcodeIndex


def _count(indices: Iterator[int], model: Model) -> tuple[Operator, ...]:
    counts: Counter[tuple[str, int, bool]] = Counter()
    for index in indices:
        code = model.operatorCodes[index]
        name, custom = operator_name(code)
        counts[name, int(code.version), custom] += 1
    return tuple(
        Operator(
            name=name,
            version=version,
            count=count,
            since=None if custom else runtime_of(name, version),
            custom=custom,
        )
        for (name, version, custom), count in sorted(counts.items())
    )


def operator_name(code: Any) -> tuple[str, bool]:
    """Return the name of an operator code, and whether it is a custom one."""
    # Old files keep the code in an 8-bit field; the larger of the two counts.
    builtin = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _builtin_names().get(builtin, f"operator {builtin}")
    if name == "CUSTOM":
        return text(code.customCode) or "CUSTOM", True
    return name, False


@cache
def _builtin_names() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {
        value: name
        for name, value in vars(schema.BuiltinOperator).items()
        if isinstance(value, int)
    }


def _weight_bytes(model: Model) -> dict[str, int]:
    dtype_of_buffer: dict[int, str] = {}
    for subgraph in model.subgraphs:
        for tensor in subgraph.tensors or ():
            if buffer_size_bytes(model, tensor.buffer):
                dtype_of_buffer[tensor.buffer] = dtype_name(tensor)
    sizes: Counter[str] = Counter()
    for index, dtype in dtype_of_buffer.items():
        sizes[dtype] += buffer_size_bytes(model, index)
    return dict(sorted(sizes.items()))


def _listed(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]
