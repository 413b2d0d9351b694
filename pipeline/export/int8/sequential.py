"""Run the int8 graph operator by operator and correct each layer before the next one runs.

Child process only: imports LiteRT.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence

import numpy as np

from pipeline.export.int8.activation_statistics import Statistics
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.layer import Layer, layers
from pipeline.export.int8.steps.interface import Correction, LayerInput
from pipeline.export.int8.threads import in_threads
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import (
    Array,
    constant,
    cut_operator,
    dynamic_inputs,
    pack,
    scale_and_zero_point,
)
from pipeline.tflite.flatbuffer import Model, dtype_name, shape_of


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


def correct_sequentially(
    float_model: Model,
    int8_model: Model,
    statistics: Statistics,
    inputs: Array,
    *,
    corrections: Sequence[Correction],
    task: str,
    report: Report,
) -> None:
    """Apply `corrections` to every int8 layer, in place, in one pass over the graph.

    Each operator runs in the int8 kernel that will run it on the device, on the input that the
    layers before it, already corrected, really give.

    Args:
        float_model: the network to be faithful to.
        int8_model: its int8 form with int8 input and output; layers left in floats are passed
            through.
        statistics: of `float_model`, over the very images of `inputs`.
        inputs: int8 (images, height, width, 3): what the int8 graph's input holds.
        corrections: what to do to each layer, in order.
        task: the name progress is reported under.
        report: receives progress.
    """
    main = int8_model.subgraphs[0]
    by_index = {layer.int8_index: layer for layer in layers(float_model, int8_model)}
    live = _Live(int8_model)
    live.values[int(main.inputs[0])] = inputs
    count = len(main.operators)
    done = _first_operators(int8_model, min(by_index, default=count), live)
    for index, operator in enumerate(main.operators):
        if index < done:
            continue
        report(ProgressEvent(task, index, count))
        read = dynamic_inputs(int8_model, operator)
        if not read:
            # The float16 weights of a layer left in floats, on their way to float32.
            stored = constant(int8_model, main.tensors[int(operator.inputs[0])])
            assert stored is not None
            live.fixed[int(operator.outputs[0])] = stored.astype(np.float32)
            continue
        if (layer := by_index.get(index)) is not None:
            layer_input = _layer_input(layer, live.values[read[0]], statistics)
            for correct in corrections:
                correct(layer, layer_input)
        live.values |= _run(int8_model, index, live)
        live.drop_read(index, read)
    report(ProgressEvent(task, count, count))


def _first_operators(model: Model, count: int, live: _Live) -> int:
    """Run the operators before the first int8 layer as one graph, and return how many those are.

    Where the first blocks are in floats their activations of all images would not fit in memory.
    Of what they write only that is kept which the others read. Operators that only move int8
    values, as padding does, are left to run one by one.
    """
    main = model.subgraphs[0]
    first = main.operators[:count]
    tensors = main.tensors
    if not any(dtype_name(tensors[int(j)]) == "float32" for one in first for j in one.outputs):
        return 0
    written = {int(j) for one in first if dynamic_inputs(model, one) for j in one.outputs}
    weights = {int(j) for one in first for j in one.outputs} - written
    read = {int(j) for operator in main.operators[count:] for j in operator.inputs}
    if weights & read:
        return 0
    wanted = sorted((written & read) | (written & {int(j) for j in main.outputs}))
    shallow, graph = copy.copy(model), copy.copy(main)
    graph.operators, graph.outputs = first, wanted
    shallow.subgraphs, shallow.signatureDefs = [graph], None
    (entry,) = (int(j) for j in main.inputs)
    inputs, data = live.values[entry], pack(shallow)
    shapes = [shape_of(tensors[j]) for j in wanted]
    answers = [
        np.empty((len(inputs), *shape), dtype_name(tensors[j]))
        for j, shape in zip(wanted, shapes, strict=True)
    ]

    def fill(part: range) -> None:
        kernel = Kernel(data)
        for image in part:
            kernel.run(inputs[image].reshape(shape_of(tensors[entry])))
            for position, kept in enumerate(answers):
                kept[image] = kernel.output(position)

    in_threads(len(inputs), fill)
    live.values |= dict(zip(wanted, answers, strict=True))
    return count


def _layer_input(layer: Layer, stored: Array, statistics: Statistics) -> LayerInput:
    main = layer.int8_model.subgraphs[0]
    tensor = main.tensors[int(main.operators[layer.int8_index].inputs[0])]
    scale, zero_point = scale_and_zero_point(tensor)
    # Activations are kept as (images, 1, ...), the graph's input as (images, ...).
    values = stored.reshape(len(stored), *shape_of(tensor)[1:])
    return LayerInput(values, scale, zero_point, statistics[layer.entry].mean)


def _run(model: Model, index: int, live: _Live) -> dict[int, Array]:
    """Return what an operator writes for all images, by tensor."""
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
    written = [int(j) for j in operator.outputs]
    images = len(inputs[0][0])

    # One image first: its answer says how much room all of them need.
    def one(kernel: Kernel, image: int) -> list[Array]:
        kernel.run(*(values[image].reshape(shape) for values, shape in inputs))
        return [kernel.output(position) for position in range(len(written))]

    first = one(Kernel(data), 0)
    answers = [np.empty((images, *values.shape), values.dtype) for values in first]

    def fill(part: range) -> None:
        kernel = Kernel(data)
        for image in part:
            for kept, values in zip(answers, one(kernel, image), strict=True):
                kept[image] = values

    in_threads(images, fill)
    return dict(zip(written, answers, strict=True))
