"""See one weighted layer in the float graph and in the int8 graph at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.export.int8.io_types import inner_output
from pipeline.tflite.edit import Array, constant, cut_operator, name_of, set_constant
from pipeline.tflite.flatbuffer import Model, dtype_name, text

Float64 = npt.NDArray[np.float64]

_WEIGHTS, _BIAS = 1, 2
_INT32 = np.iinfo(np.int32)


@dataclass(frozen=True)
class Layer:
    """Pair a convolution or dense operator of the float graph with its int8 form.

    Weights are int8 and quantized per output channel or as a whole; the bias is int32 in steps of
    input scale times weight scale.
    """

    float_model: Model
    float_index: int
    int8_model: Model
    int8_index: int

    @property
    def name(self) -> str:
        """Return the name of the tensor the layer writes."""
        return text(self._float_tensor(int(self._float.outputs[0])).name)

    @property
    def kind(self) -> str:
        """Return the operator's name."""
        return name_of(self.float_model, self._float)

    @property
    def entry(self) -> str:
        """Return the name of the tensor the layer reads, in the float graph."""
        return text(self._float_tensor(int(self._float.inputs[0])).name)

    @property
    def options(self) -> Any:
        """Return the operator's options: strides, padding."""
        return self._float.builtinOptions

    @property
    def float_weights(self) -> npt.NDArray[np.float32]:
        """Return the float weights in the operator's own shape."""
        weights = constant(self.float_model, self._float_tensor(int(self._float.inputs[_WEIGHTS])))
        assert weights is not None
        return weights

    @property
    def weights(self) -> npt.NDArray[np.int8]:
        """Return the int8 weights."""
        weights = constant(self.int8_model, self._int8_tensor(_WEIGHTS))
        assert weights is not None
        return weights

    @property
    def bias(self) -> npt.NDArray[np.int32]:
        """Return the int32 bias, (channels,)."""
        bias = constant(self.int8_model, self._int8_tensor(_BIAS))
        assert bias is not None
        return bias

    @property
    def scales(self) -> Float64:
        """Return the weight scale of each output channel, float64 (channels,)."""
        stored = np.asarray(self._int8_tensor(_WEIGHTS).quantization.scale, np.float64)
        return np.broadcast_to(stored, self.bias.shape)

    @property
    def bias_scales(self) -> Float64:
        """Return what one step of each bias is worth, float64 (channels,)."""
        stored = np.asarray(self._int8_tensor(_BIAS).quantization.scale, np.float64)
        return np.broadcast_to(stored, self.bias.shape)

    @property
    def depthwise(self) -> bool:
        """Return whether each channel has weights of its own input channel only."""
        return self.kind == "DEPTHWISE_CONV_2D"

    def real_weights(self) -> npt.NDArray[np.float32]:
        """Return what the int8 weights stand for, float32."""
        shape = [1] * self.weights.ndim
        shape[-1 if self.depthwise else 0] = -1
        return (self.weights * self.scales.reshape(shape)).astype(np.float32)

    def float_linear(self) -> bytes:
        """Return the float operator without its activation, as a model."""
        return cut_operator(self.float_model, self.float_index, linear=True)

    def int8_linear(self) -> bytes:
        """Return what the int8 operator computes, in floats and without its activation."""
        bias = (self.bias * self.bias_scales).astype(np.float32)
        return cut_operator(
            self.float_model,
            self.float_index,
            linear=True,
            constants={_WEIGHTS: self.real_weights(), _BIAS: bias},
        )

    def set_weights(self, weights: Array) -> None:
        """Store int8 weights."""
        set_constant(self.int8_model, self._int8_tensor(_WEIGHTS), weights.astype(np.int8))

    def add_to_bias(self, shift: Float64) -> None:
        """Add a real value to each channel's bias, rounded to the bias's own steps."""
        steps = np.rint(self.bias + shift / self.bias_scales)
        stored = np.clip(steps, _INT32.min, _INT32.max).astype(np.int32)
        set_constant(self.int8_model, self._int8_tensor(_BIAS), stored)

    @property
    def _float(self) -> Any:
        return self.float_model.subgraphs[0].operators[self.float_index]

    def _float_tensor(self, index: int) -> Any:
        return self.float_model.subgraphs[0].tensors[index]

    def _int8_tensor(self, position: int) -> Any:
        main = self.int8_model.subgraphs[0]
        return main.tensors[int(main.operators[self.int8_index].inputs[position])]


def layers(float_model: Model, int8_model: Model) -> Iterator[Layer]:
    """Pair every layer with int8 weights and an int32 bias, in the int8 graph's order."""
    names = float_names(float_model, int8_model)
    writers = {
        text(float_model.subgraphs[0].tensors[int(j)].name): index
        for index, operator in enumerate(float_model.subgraphs[0].operators)
        for j in operator.outputs
    }
    main = int8_model.subgraphs[0]
    for index, operator in enumerate(main.operators):
        inputs = [int(j) for j in operator.inputs]
        if len(inputs) <= _BIAS or inputs[_BIAS] < 0:
            continue
        weights, bias = (main.tensors[inputs[position]] for position in (_WEIGHTS, _BIAS))
        if dtype_name(weights) != "int8" or dtype_name(bias) != "int32":
            continue
        if constant(int8_model, weights) is None or constant(int8_model, bias) is None:
            continue
        writer = writers.get(names[int(operator.outputs[0])])
        if writer is not None:
            yield Layer(float_model, writer, int8_model, index)


def float_names(float_model: Model, int8_model: Model) -> list[str]:
    """Return for each tensor of the int8 graph what the float graph calls it, or would.

    Both graphs use the converter's names, but for the tensor that holds the answer in int8: what
    that is called has changed between releases.
    """
    names = [text(tensor.name) for tensor in int8_model.subgraphs[0].tensors]
    main = float_model.subgraphs[0]
    names[inner_output(int8_model)] = text(main.tensors[int(main.outputs[0])].name)
    return names
