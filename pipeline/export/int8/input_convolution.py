"""Fold the convolution that `adapt_input` puts in front, and keep padded borders what they were.

The model pads with zeros of its own input, which are its mean pixel, a colour. Once the
convolution in front is folded, zero is the phone's mean instead, which is grey: at a border of
three pixels, up to twenty pixel values off. So the borders are laid on as constants of that
colour.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.export.input_adapter import INPUT_CONVOLUTION_TENSOR, fold_input_convolution
from pipeline.export.int8.convolved import same_padding
from pipeline.tflite.edit import (
    add_activation,
    add_constant,
    constant,
    consumers,
    insert_operator,
    name_of,
    set_kind,
)
from pipeline.tflite.flatbuffer import Model, shape_of, text

Float32 = npt.NDArray[np.float32]
_Sides = tuple[int, int]

_WEIGHTS, _BIAS = 1, 2
_SAME, _VALID = 0, 1
_ROWS, _COLUMNS = 1, 2


def fold_input(model: Model) -> Model:
    """Return the graph without the convolution that `adapt_input` put in front, same at borders.

    A graph that has none, or where something else than convolutions reads it, is returned as it
    is.
    """
    main = model.subgraphs[0]
    written = main.tensors[int(main.operators[0].outputs[0])]
    # A model's own first convolution may look the same, and is left as it is.
    if text(written.name) != INPUT_CONVOLUTION_TENSOR:
        return model
    folded = fold_input_convolution(model)
    if folded is model:
        return model
    border = _value_of_zero(model)
    if np.abs(border).max() > 0:
        _pad_with(folded, int(folded.subgraphs[0].inputs[0]), border)
    return folded


def _value_of_zero(model: Model) -> Float32:
    """Return the input, float32 (3,), for which the convolution in front gives zero."""
    main = model.subgraphs[0]
    weights, bias = (
        constant(model, main.tensors[int(main.operators[0].inputs[p])]) for p in (1, 2)
    )
    assert weights is not None
    assert bias is not None
    solved = np.linalg.solve(weights[:, 0, 0, :].astype(np.float64), -bias.astype(np.float64))
    value: Float32 = solved.astype(np.float32)
    return value


def _pad_with(model: Model, tensor: int, border: Float32) -> None:
    """Lay `border` around where PAD or a convolution of padding SAME put zeros, in place."""
    main = model.subgraphs[0]
    for operator in [main.operators[index] for index in consumers(model).get(tensor, [])]:
        output = int(operator.outputs[0])
        if name_of(model, operator) == "PAD":
            sizes = constant(model, main.tensors[int(operator.inputs[1])])
            assert sizes is not None
            (above, below), (left, right) = (
                (int(a), int(b)) for a, b in sizes[_ROWS : _COLUMNS + 1]
            )
            main.operators.remove(operator)
            _surround(model, tensor, output, (above, below), (left, right), border)
            _pad_with(model, output, border)
        elif operator.builtinOptions.padding == _SAME:
            taps = shape_of(main.tensors[int(operator.inputs[_WEIGHTS])])[1:3]
            around = same_padding(
                shape_of(main.tensors[tensor])[1:3], operator.builtinOptions, taps
            )
            operator.builtinOptions.padding = _VALID
            if any(map(any, around)):
                shape = list(shape_of(main.tensors[tensor]))
                for axis, sides in zip((_ROWS, _COLUMNS), around, strict=True):
                    shape[axis] += sum(sides)
                name = f"{text(main.tensors[output].name)}/padded"
                padded = add_activation(model, name, tuple(shape))
                operator.inputs = [padded, *map(int, operator.inputs[1:])]
                _surround(model, tensor, padded, around[0], around[1], border)


def _surround(
    model: Model, source: int, target: int, rows: _Sides, columns: _Sides, border: Float32
) -> None:
    """Add the concatenations that write `source` with its borders to `target`."""
    main = model.subgraphs[0]
    name = text(main.tensors[target].name)
    place = min(consumers(model)[target])
    steps = [(axis, sides) for axis, sides in ((_ROWS, rows), (_COLUMNS, columns)) if any(sides)]
    for step, (axis, sides) in enumerate(steps, start=1):
        shape = list(shape_of(main.tensors[source]))
        parts = []
        for side, size in zip(("before", "after"), sides, strict=True):
            if size:
                filled = np.broadcast_to(border, (*shape[:axis], size, *shape[axis + 1 :]))
                parts.append((side, add_constant(model, f"{name}/{axis}/{side}", filled.copy())))
        shape[axis] += sum(sides)
        last = step == len(steps)
        written = target if last else add_activation(model, f"{name}/{axis}", tuple(shape))
        tensors = dict(parts)
        inputs = [j for j in (tensors.get("before"), source, tensors.get("after")) if j is not None]
        operator = insert_operator(model, place, inputs, written)
        place += 1
        set_kind(model, operator, "CONCATENATION", "ConcatenationOptions")
        operator.builtinOptions.axis = axis
        source = written
