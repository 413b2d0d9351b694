"""Build tiny float graphs by hand, so that every weight is the test's own."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from pipeline.tflite.edit import constant, pack, unpack_whole
from pipeline.tflite.flatbuffer import Model, text

Float32 = npt.NDArray[np.float32]

SAME, VALID = schema.Padding.SAME, schema.Padding.VALID
LINEAR = schema.ActivationFunctionType.NONE
RELU = schema.ActivationFunctionType.RELU
RELU6 = schema.ActivationFunctionType.RELU6
IMAGE_TENSOR = "image"


class Network:
    """Collect operators one after another; tensors are called by their names.

    Args:
        shape: of the float input, called "image": (1, ...).
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        self._graph, self._model = schema.SubGraphT(), schema.ModelT()
        self._graph.tensors, self._graph.operators = [], []
        self._model.version, self._model.operatorCodes = 3, []
        # Buffer 0 is the empty one that activations share.
        self._model.buffers = [schema.BufferT()]
        self._place: dict[str, int] = {}
        self._tensor(IMAGE_TENSOR, shape)

    def conv(
        self,
        entry: str,
        name: str,
        weights: Float32,
        bias: Float32,
        *,
        stride: int = 1,
        padding: int = SAME,
        activation: int = LINEAR,
    ) -> str:
        """Add a convolution, weights (out, height, width, in)."""
        options = schema.Conv2DOptionsT()
        options.strideH = options.strideW = stride
        options.padding, options.fusedActivationFunction = padding, activation
        shape = (*self._convolved(entry, weights.shape[1:3], stride, padding), len(weights))
        return self._weighted(
            "CONV_2D", "Conv2DOptions", options, entry, name, weights, bias, shape
        )

    def depthwise(
        self,
        entry: str,
        name: str,
        weights: Float32,
        bias: Float32,
        *,
        stride: int = 1,
        padding: int = SAME,
        activation: int = LINEAR,
    ) -> str:
        """Add a depthwise convolution, weights (1, height, width, channels)."""
        options = schema.DepthwiseConv2DOptionsT()
        options.strideH = options.strideW = stride
        options.padding, options.fusedActivationFunction = padding, activation
        options.depthMultiplier = weights.shape[3] // self._shape(entry)[3]
        shape = (*self._convolved(entry, weights.shape[1:3], stride, padding), weights.shape[3])
        kind = "DepthwiseConv2DOptions"
        return self._weighted("DEPTHWISE_CONV_2D", kind, options, entry, name, weights, bias, shape)

    def dense(
        self, entry: str, name: str, weights: Float32, bias: Float32, *, activation: int = LINEAR
    ) -> str:
        """Add a dense layer, weights (out, in)."""
        options = schema.FullyConnectedOptionsT()
        options.fusedActivationFunction = activation
        return self._weighted(
            "FULLY_CONNECTED",
            "FullyConnectedOptions",
            options,
            entry,
            name,
            weights,
            bias,
            (1, len(weights)),
        )

    def add(self, left: str, right: str, name: str) -> str:
        """Add two tensors of one shape."""
        self._tensor(name, self._shape(left))
        return self._operator("ADD", "AddOptions", schema.AddOptionsT(), [left, right], name)

    def by_constant(
        self, kind: str, entry: str, name: str, values: Float32, *, constant_first: bool = False
    ) -> str:
        """Add ADD, SUB, MUL or DIV of a tensor and a constant, which comes second by default."""
        other = f"{name}/constant"
        self._tensor(other, values.shape, values.astype(np.float32))
        self._tensor(name, self._shape(entry))
        options_name = f"{kind.capitalize()}Options"
        inputs = [other, entry] if constant_first else [entry, other]
        options = getattr(schema, f"{options_name}T")()
        return self._operator(kind, options_name, options, inputs, name)

    def pad(self, entry: str, name: str, before: int, after: int) -> str:
        """Pad height and width with zeros."""
        sizes = f"{name}/sizes"
        rows = np.array([[0, 0], [before, after], [before, after], [0, 0]], np.int32)
        self._tensor(sizes, rows.shape, rows)
        shape = self._shape(entry)
        grown = (shape[0], shape[1] + before + after, shape[2] + before + after, shape[3])
        self._tensor(name, grown)
        return self._operator("PAD", "PadOptions", schema.PadOptionsT(), [entry, sizes], name)

    def softmax(self, entry: str, name: str) -> str:
        """Add a softmax over the last axis."""
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        self._tensor(name, self._shape(entry))
        return self._operator("SOFTMAX", "SoftmaxOptions", options, [entry], name)

    def pointwise(self, kind: str, entry: str, name: str) -> str:
        """Add an operator of one input and no options, as ELU."""
        self._tensor(name, self._shape(entry))
        return self._operator(kind, "NONE", None, [entry], name)

    def mean(self, entry: str, name: str) -> str:
        """Average over height and width."""
        axes = f"{name}/axes"
        self._tensor(axes, (2,), np.array([1, 2], np.int32))
        self._tensor(name, (1, self._shape(entry)[-1]))
        return self._operator(
            "MEAN", "ReducerOptions", schema.ReducerOptionsT(), [entry, axes], name
        )

    def build(self, output: str) -> Model:
        """Return the finished model with a signature `image` to `probability`."""
        graph, model = copy.copy(self._graph), copy.copy(self._model)
        graph.inputs, graph.outputs = [self._place[IMAGE_TENSOR]], [self._place[output]]
        model.subgraphs = [graph]
        signature = schema.SignatureDefT()
        signature.signatureKey, signature.subgraphIndex = "serving_default", 0
        signature.inputs = [self._named("image", IMAGE_TENSOR)]
        signature.outputs = [self._named("probability", output)]
        model.signatureDefs = [signature]
        return unpack_whole(pack(model), where="a test")

    def _named(self, name: str, tensor: str) -> Any:
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = name, self._place[tensor]
        return entry

    def _shape(self, name: str) -> tuple[int, ...]:
        return tuple(self._graph.tensors[self._place[name]].shape)

    def _convolved(
        self, entry: str, taps: tuple[int, ...], stride: int, padding: int
    ) -> tuple[int, ...]:
        sizes = self._shape(entry)[1:3]
        if padding == SAME:
            return (1, *(-(-size // stride) for size in sizes))
        return (1, *((size - tap) // stride + 1 for size, tap in zip(sizes, taps, strict=True)))

    def _weighted(
        self,
        kind: str,
        options_name: str,
        options: Any,
        entry: str,
        name: str,
        weights: Float32,
        bias: Float32,
        shape: tuple[int, ...],
    ) -> str:
        names = [f"{name}/weights", f"{name}/bias"]
        self._tensor(names[0], weights.shape, weights.astype(np.float32))
        self._tensor(names[1], bias.shape, bias.astype(np.float32))
        self._tensor(name, shape)
        return self._operator(kind, options_name, options, [entry, *names], name)

    def _tensor(
        self, name: str, shape: tuple[int, ...], values: npt.NDArray[Any] | None = None
    ) -> None:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name, list(shape), schema.TensorType.FLOAT32
        if values is not None:
            if values.dtype == np.int32:
                tensor.type = schema.TensorType.INT32
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(values.tobytes(), np.uint8)
            tensor.buffer = len(self._model.buffers)
            self._model.buffers.append(buffer)
        self._place[name] = len(self._graph.tensors)
        self._graph.tensors.append(tensor)

    def _operator(
        self, kind: str, options_name: str, options: Any, inputs: list[str], output: str
    ) -> str:
        number = getattr(schema.BuiltinOperator, kind)
        codes = self._model.operatorCodes
        # One code for all operators of a kind, as the converter writes it.
        if number not in (known := [code.builtinCode for code in codes]):
            code = schema.OperatorCodeT()
            code.builtinCode, code.version = number, 1
            code.deprecatedBuiltinCode = min(number, 127)
            codes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = known.index(number) if number in known else len(known)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_name)
        operator.builtinOptions = options
        operator.inputs = [self._place[name] for name in inputs]
        operator.outputs = [self._place[output]]
        self._graph.operators.append(operator)
        return output


def tensor_of(model: Model, name: str) -> Any:
    """Return the tensor called `name`."""
    (found,) = (one for one in model.subgraphs[0].tensors if text(one.name) == name)
    return found


def values_of(model: Model, name: str) -> npt.NDArray[Any]:
    """Return the stored values of the tensor called `name`."""
    values = constant(model, tensor_of(model, name))
    assert values is not None
    return values
