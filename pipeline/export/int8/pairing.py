"""Pair the tensors of an int8 graph with the float graph's, and refuse graphs of two models."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.int8.layer import float_names, layers
from pipeline.export.int8.operators import CONVERSIONS
from pipeline.tflite.edit import name_of, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, dtype_name, shape_of, text

# Int8 weights keep well over 20 dB; weights of another training, or equalized ones, do not.
_LEAST_WEIGHT_SQNR_DB = 10.0
_OTHER_MODEL = "the int8 file is not of this float model"


@dataclass(frozen=True)
class TensorPair:
    """Point at the tensor that one operator writes in both graphs.

    `scale` is None for an operator that was left in floats.
    """

    name: str
    float_operator: int
    float_tensor: int
    int8_tensor: int
    scale: float | None
    zero_point: int


def paired(float_model: Model, int8_model: Model, where: str) -> list[TensorPair]:
    """Pair the operators of both graphs by the tensor they write, in the int8 graph's order.

    Raises:
        BadInput: a tensor is not in the float graph, or of another shape there.
    """
    float_main, int8_main = float_model.subgraphs[0], int8_model.subgraphs[0]
    written = {
        text(float_main.tensors[int(j)].name): (index, int(j))
        for index, operator in enumerate(float_main.operators)
        for j in operator.outputs
    }
    names = float_names(float_model, int8_model)
    pairs = []
    for operator in int8_main.operators:
        if name_of(int8_model, operator) in CONVERSIONS:
            continue
        for j in map(int, operator.outputs):
            tensor = int8_main.tensors[j]
            name, shape, dtype = names[j], shape_of(tensor), dtype_name(tensor)
            if dtype not in ("int8", "float32"):
                continue
            index, same = written.get(name, (-1, -1))
            float_shape = shape_of(float_main.tensors[same]) if same >= 0 else None
            if float_shape != shape:
                raise BadInput(
                    _OTHER_MODEL,
                    where=where,
                    expected=f"tensor {name} of shape {shape}",
                    got="no such tensor" if float_shape is None else f"shape {float_shape}",
                    next_step="give the --run-dir of the run that exported it",
                )
            scale, zero_point = scale_and_zero_point(tensor) if dtype == "int8" else (None, 0)
            pairs.append(TensorPair(name, index, same, j, scale, zero_point))
    return pairs


def check_input(model: Model, image: ImageContract, where: str) -> None:
    """Refuse a model whose input is not one image of the contract.

    Raises:
        BadInput: the input has another shape.
    """
    entry = model.subgraphs[0].tensors[int(model.subgraphs[0].inputs[0])]
    if shape_of(entry) != image.input_shape:
        raise BadInput(
            _OTHER_MODEL,
            where=where,
            expected=f"an input of shape {image.input_shape}",
            got=f"shape {shape_of(entry)}",
        )


def check_weights(float_model: Model, int8_model: Model, where: str) -> None:
    """Refuse int8 weights that do not stand for the float ones.

    A retrained model has the same names and shapes, and an equalized file other weights: every
    figure would be of the difference between two networks, not of 8 bits.

    Raises:
        BadInput: a layer's weights are too far from the float model's.
    """
    for layer in layers(float_model, int8_model):
        wanted = layer.float_weights.astype(np.float64)
        if wanted.shape == layer.weights.shape:
            error = float(np.square(layer.real_weights() - wanted).sum())
            signal = float(np.square(wanted).sum())
            if error <= signal * 10 ** (-_LEAST_WEIGHT_SQNR_DB / 10):
                continue
        raise BadInput(
            _OTHER_MODEL,
            where=where,
            expected=f"int8 weights that stand for the float ones in {layer.name}",
            got="other weights, as after another training or after equalization",
            next_step="give the bundle folder, whose manifest names model and equalization",
        )
