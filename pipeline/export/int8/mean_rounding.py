"""Make raw uint8 pixels exact where the mean is no whole number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.int8.equal_scales import HAND_ON
from pipeline.export.int8.operators import CONVERSIONS, WEIGHTED
from pipeline.tflite.edit import constant, dynamic_inputs, name_of, set_constant
from pipeline.tflite.flatbuffer import Model

_WEIGHTS, _BIAS = 1, 2


def whole_mean(image: ImageContract) -> int:
    """Return the pixel value that a uint8 input's zero point stands for."""
    return math.floor(image.mean + 0.5)


def absorb_mean_rounding(model: Model, image: ImageContract) -> None:
    """Add to the first biases what the rounding of the mean puts raw uint8 pixels off.

    127.5 is no integer, so a uint8 input stands for (pixel - 128) / std where
    (pixel - 127.5) / std is meant. A layer that is linear in its input is off by that half times
    the sum of its weights over std, which its bias takes up. What only hands pixels on, as PAD or
    a pool, may lie between, and several layers may read them. Padded borders keep a share of it.

    Raises:
        BadInput: something else than a layer with a bias reads the pixels.
    """
    shift = (whole_mean(image) - image.mean) / image.std
    if shift == 0:
        return
    main = model.subgraphs[0]
    for operator in _readers(model, int(main.inputs[0])):
        biased = len(operator.inputs) > _BIAS and operator.inputs[_BIAS] >= 0
        kind = name_of(model, operator)
        if kind not in WEIGHTED or not biased:
            raise BadInput(
                "a uint8 input needs a layer first whose bias makes up for the rounded mean",
                expected=f"one of {', '.join(sorted(WEIGHTED))}, with a bias",
                got=kind + ("" if biased or kind not in WEIGHTED else " without a bias"),
                next_step="pipeline export --quantize int8 --io float32",
            )
        weights_at = _stored_at(model, int(operator.inputs[_WEIGHTS]))
        bias_at = main.tensors[int(operator.inputs[_BIAS])]
        weights, bias = constant(model, weights_at), constant(model, bias_at)
        assert weights is not None
        assert bias is not None
        channel = weights.ndim - 1 if kind == "DEPTHWISE_CONV_2D" else 0
        others = tuple(axis for axis in range(weights.ndim) if axis != channel)
        total = weights.astype(np.float64).sum(axis=others)
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
            alone = dynamic_inputs(model, operator) == [tensor]
            kind = name_of(model, operator)
            if kind in HAND_ON | CONVERSIONS or (kind == "CONCATENATION" and alone):
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
