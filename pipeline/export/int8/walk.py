"""Walk the int8 graph operator by operator and correct each layer before the next one runs.

Child process only: imports LiteRT.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from pipeline.export.int8.bias_correction import bias_shift
from pipeline.export.int8.covariance import input_covariance, window_covariance
from pipeline.export.int8.kernels import Kernel, by_halves, dequantize
from pipeline.export.int8.layer import Layer, layers
from pipeline.export.int8.rounding import round_channels, round_rows
from pipeline.export.int8.statistics import Statistics
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import Array, constant, cut_operator, dynamic_inputs, scale_and_zero_point
from pipeline.tflite.flatbuffer import Model, shape_of

# So many int8 values fit an int16 sum.
_SUMMED = 255


class Rounding(IntEnum):
    """Say which layers choose the rounding of their weights by their output."""

    nearest = 0
    depthwise = 1
    every = 2


class _Live:
    """Hold the activations that an operator still to come will read, for all images.

    `fixed` holds those that are the same for every image.
    """

    def __init__(self, model: Model) -> None:
        self._last: dict[int, int] = {}
        for index, operator in enumerate(model.subgraphs[0].operators):
            for j in operator.inputs:
                self._last[int(j)] = index
        self.values: dict[int, Array] = {}
        self.fixed: dict[int, Array] = {}

    def drop_read(self, index: int, tensors: list[int]) -> None:
        for j in tensors:
            if self._last.get(j) == index:
                self.values.pop(j, None)


def correct_in_order(
    float_model: Model,
    int8_model: Model,
    statistics: Statistics,
    entries: Array,
    *,
    rounding: Rounding,
    task: str,
    report: Report,
) -> None:
    """Choose the rounding and correct the bias of every int8 layer, in place, in one pass.

    Each operator runs in the int8 kernel that will run it on the device, on the input that the
    layers before it, already corrected, really give.

    Args:
        float_model: the network to be faithful to.
        int8_model: its int8 form with int8 ends; layers left in floats are passed through.
        statistics: of `float_model`, over the very images of `entries`.
        entries: int8 (images, height, width, 3): what the int8 graph's input holds.
        rounding: which layers choose their rounding.
        task: the name progress is reported under.
        report: receives progress.
    """
    main = int8_model.subgraphs[0]
    paired = {layer.int8_index: layer for layer in layers(float_model, int8_model)}
    live = _Live(int8_model)
    live.values[int(main.inputs[0])] = entries
    count = len(main.operators)
    for index, operator in enumerate(main.operators):
        report(ProgressEvent(task, index, count))
        read = dynamic_inputs(int8_model, operator)
        if not read:
            # The float16 weights of a layer left in floats, on their way to float32.
            stored = constant(int8_model, main.tensors[int(operator.inputs[0])])
            assert stored is not None
            live.fixed[int(operator.outputs[0])] = stored.astype(np.float32)
            continue
        if index in paired:
            _correct(paired[index], live.values[read[0]], statistics, rounding)
        live.values[int(operator.outputs[0])] = _run(int8_model, index, live)
        live.drop_read(index, read)
    report(ProgressEvent(task, count, count))


def _run(model: Model, index: int, live: _Live) -> Array:
    main = model.subgraphs[0]
    operator = main.operators[index]
    fixed = {
        position: live.fixed[int(j)]
        for position, j in enumerate(operator.inputs)
        if int(j) in live.fixed
    }
    data = cut_operator(model, index, constants=fixed)
    read = [j for j in dynamic_inputs(model, operator) if j not in live.fixed]
    inputs = [(live.values[j], shape_of(main.tensors[j])) for j in read]
    images = len(inputs[0][0])

    # One image first: its answer says how much room all of them need.
    def one(kernel: Kernel, image: int) -> Array:
        return kernel(*(values[image].reshape(shape) for values, shape in inputs))

    first = one(Kernel(data), 0)
    answers = np.empty((images, *first.shape), first.dtype)

    def fill(part: range) -> None:
        kernel = Kernel(data)
        for image in part:
            answers[image] = one(kernel, image)

    by_halves(images, fill)
    return answers


def _correct(layer: Layer, stored: Array, statistics: Statistics, rounding: Rounding) -> None:
    main = layer.int8_model.subgraphs[0]
    entry = main.tensors[int(main.operators[layer.int8_index].inputs[0])]
    scale, zero_point = scale_and_zero_point(entry)
    # Activations are kept as (images, 1, ...), the entry as (images, ...).
    images = stored.reshape(len(stored), *shape_of(entry)[1:])
    _choose_rounding(layer, images, scale, zero_point, rounding)
    reference = statistics[layer.entry].mean
    mean = dequantize(_mean(images), scale, zero_point)
    wanted = Kernel(layer.float_linear())(reference)
    got = Kernel(layer.int8_linear())(mean.reshape(reference.shape))
    layer.add_to_bias(bias_shift(wanted, got))


def _mean(images: Array) -> Array:
    # Whole sums are exact and several times faster than means in floats.
    starts = range(0, len(images), _SUMMED)
    sums = [np.sum(images[k : k + _SUMMED], axis=0, dtype=np.int16) for k in starts]
    return np.asarray(np.sum(sums, axis=0, dtype=np.int64) / len(images))


def _choose_rounding(
    layer: Layer, images: Array, scale: float, zero_point: int, rounding: Rounding
) -> None:
    weights = layer.float_weights.astype(np.float64)
    if layer.depthwise:
        if rounding < Rounding.depthwise:
            return
        height, width = weights.shape[1:3]
        rows = weights.reshape(height * width, -1).T / layer.scales[:, None]
        if rows.shape[0] != images.shape[-1]:
            # A depth multiplier: several outputs share an input channel.
            return
        covariance = window_covariance(images, scale, zero_point, layer.options, (height, width))
        layer.set_weights(
            round_channels(np.clip(rows, -127, 127), covariance).T.reshape(weights.shape)
        )
        return
    pointwise = weights.ndim == 2 or weights.shape[1:3] == (1, 1)
    if rounding < Rounding.every or not pointwise:
        return
    rows = weights.reshape(len(weights), -1) / layer.scales[:, None]
    covariance = input_covariance(images, scale, zero_point)
    layer.set_weights(round_rows(np.clip(rows, -127, 127), covariance).reshape(weights.shape))
