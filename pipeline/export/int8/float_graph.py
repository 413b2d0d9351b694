"""Rewrite a float graph into one of the same function that int8 can be made of.

The converter lets layers share constants, leaves biases out and writes operators that have no
int8 kernel where another operator says the same. Each rewrite keeps the names of the tensors that
activations are known by.
"""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from pipeline.export.int8.input_convolution import fold_input
from pipeline.export.int8.operators import WEIGHTED
from pipeline.tflite.edit import (
    Array,
    activation_of,
    add_constant,
    constant,
    consumers,
    duplicate,
    name_of,
    producers,
    set_kind,
)
from pipeline.tflite.flatbuffer import Model, dtype_name, shape_of, text

_WEIGHTS, _BIAS = 1, 2
_LINEAR = 0


def prepare(model: Model) -> Model:
    """Return a float graph of the same function, ready for statistics and the quantizer.

    Args:
        model: a float32 graph; it is not changed. The convolution that `adapt_input` put in front
            is folded into the first real one.
    """
    prepared = duplicate(model)
    _give_each_layer_its_own_constants(prepared)
    _rewrite_operators(prepared)
    return fold_input(prepared)


def _give_each_layer_its_own_constants(model: Model) -> None:
    """Copy what layers share, and add a bias of zeros where a layer has none.

    The converter writes equal constants once: the zero biases of two layers are one tensor, and a
    correction of one layer would be a correction of both.
    """
    main = model.subgraphs[0]
    seen: set[int] = set()
    for operator in main.operators:
        if name_of(model, operator) not in WEIGHTED:
            continue
        inputs = [int(j) for j in operator.inputs]
        if constant(model, main.tensors[inputs[_WEIGHTS]]) is None:
            continue
        for position in range(_WEIGHTS, len(inputs)):
            if (j := inputs[position]) < 0:
                continue
            if j in seen:
                inputs[position] = _copied(model, j, len(main.tensors))
            seen.add(inputs[position])
        if len(inputs) <= _BIAS or inputs[_BIAS] < 0:
            output = main.tensors[int(operator.outputs[0])]
            zeros = np.zeros(shape_of(output)[-1], np.float32)
            inputs[_BIAS:] = [add_constant(model, f"{text(output.name)}/bias", zeros)]
        operator.inputs = inputs


def _copied(model: Model, j: int, number: int) -> int:
    main = model.subgraphs[0]
    tensor = copy.copy(main.tensors[j])
    # Names are unique in a graph. The buffer stays shared until one of them is changed.
    tensor.name = f"{text(tensor.name)}/{number}"
    main.tensors.append(tensor)
    return len(main.tensors) - 1


def _rewrite_operators(model: Model) -> None:
    main = model.subgraphs[0]
    for operator in main.operators:
        tensors = [main.tensors[int(j)] for j in (*operator.inputs, *operator.outputs) if j >= 0]
        if any(dtype_name(tensor) != "float32" for tensor in tensors[:1]):
            continue
        match name_of(model, operator):
            case "NEG":
                _become_product(model, operator, np.array(-1, np.float32))
            case "SQUARE":
                set_kind(model, operator, "MUL", "MulOptions")
                operator.inputs = [int(operator.inputs[0])] * 2
            case "DIV":
                divisor = constant(model, main.tensors[int(operator.inputs[1])])
                if divisor is not None and activation_of(operator) == _LINEAR:
                    _become_product(model, operator, (1 / divisor).astype(np.float32))
            case "SQUEEZE":
                shape = np.array(shape_of(main.tensors[int(operator.outputs[0])]), np.int32)
                name = f"{text(main.tensors[int(operator.outputs[0])].name)}/shape"
                set_kind(model, operator, "RESHAPE", "ReshapeOptions")
                operator.builtinOptions.newShape = shape
                operator.inputs = [int(operator.inputs[0]), add_constant(model, name, shape)]
    _subtract_negated(model)


def _become_product(model: Model, operator: Any, factor: Array) -> None:
    name = f"{text(model.subgraphs[0].tensors[int(operator.outputs[0])].name)}/factor"
    set_kind(model, operator, "MUL", "MulOptions")
    operator.inputs = [int(operator.inputs[0]), add_constant(model, name, factor)]


def _subtract_negated(model: Model) -> None:
    """Turn a + (-b) into a - b, which rounds once less."""
    main = model.subgraphs[0]
    writers, readers = producers(model), consumers(model)
    gone = set()
    for operator in main.operators:
        if name_of(model, operator) != "ADD":
            continue
        for negated, other in ((1, 0), (0, 1)):
            writer = writers.get(int(operator.inputs[negated]))
            if writer is None or writer in gone or not _negates(model, main.operators[writer]):
                continue
            if len(readers[int(operator.inputs[negated])]) > 1:
                continue
            activation = activation_of(operator)
            source = int(main.operators[writer].inputs[0])
            operator.inputs = [int(operator.inputs[other]), source]
            set_kind(model, operator, "SUB", "SubOptions")
            operator.builtinOptions.fusedActivationFunction = activation
            gone.add(writer)
            break
    main.operators = [one for index, one in enumerate(main.operators) if index not in gone]


def _negates(model: Model, operator: Any) -> bool:
    if name_of(model, operator) != "MUL" or activation_of(operator) != _LINEAR:
        return False
    factor = constant(model, model.subgraphs[0].tensors[int(operator.inputs[1])])
    return factor is not None and factor.size == 1 and bool((factor == -1).all())
