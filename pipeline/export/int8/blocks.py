"""Find where a network may be cut: after a block, where one activation alone goes on.

Child process only: the models are litert-quantizer's.
"""

from __future__ import annotations

from pipeline.export.int8.operators import WEIGHTED
from pipeline.tflite.edit import activation_of, consumers, dynamic_inputs, name_of
from pipeline.tflite.flatbuffer import Model, text

_LINEAR = 0
# They join or shrink what a block made, so that a block ends with them.
_JOINS = frozenset({"ADD", "AVERAGE_POOL_2D", "CONCATENATION", "MAX_POOL_2D"})
# Where one of these reads a layer, the layer and its activation are not yet through.
_ACTIVATIONS = frozenset(
    {"GELU", "HARD_SWISH", "LOGISTIC", "MUL", "RELU", "RELU6", "SOFTMAX", "TANH"}
)


def leading_blocks(model: Model) -> list[tuple[str, ...]]:
    """Return for each place to cut, in order, the tensors that all operators up to it write.

    The places are the ends of blocks, and before them the last place within the first block: what
    a linear layer gives rounds worse than what ReLU6 cut off before it.

    A block ends where exactly one activation goes on to what follows, and a residual sum, a
    concatenation, a pool or a linear layer has just written it: where MobileNetV2's bottleneck,
    ResNet's sum or VGG's pool ends, whatever they are called. Where a network has no such place,
    every place where one activation goes on is one. What follows a block has a layer with weights.

    Args:
        model: a float graph of one input, its operators in an order of execution.
    """
    main, readers = model.subgraphs[0], consumers(model)
    weighted = [
        index
        for index, operator in enumerate(main.operators)
        if name_of(model, operator) in WEIGHTED
    ]
    if not weighted:
        return []
    cuts = [index for index in _cuts(model) if weighted[0] <= index < weighted[-1]]
    ends = [index for index in cuts if _ends_block(model, index, readers)] or cuts
    ends = [*[index for index in cuts if index < ends[0]][-1:], *ends] if ends else []
    written = [
        [text(main.tensors[int(j)].name) for j in operator.outputs] for operator in main.operators
    ]
    return [tuple(name for names in written[: end + 1] for name in names) for end in ends]


def _cuts(model: Model) -> list[int]:
    """Return the operators after which no activation but their one output is read any more."""
    main = model.subgraphs[0]
    last_read: dict[int, int] = {}
    for index, operator in enumerate(main.operators):
        for j in dynamic_inputs(model, operator):
            last_read[j] = index
    live, found = {int(j) for j in main.inputs}, []
    for index, operator in enumerate(main.operators):
        live |= {int(j) for j in operator.outputs}
        live = {j for j in live if last_read.get(j, -1) > index}
        if live == {int(j) for j in operator.outputs}:
            found.append(index)
    return found


def _ends_block(model: Model, index: int, readers: dict[int, list[int]]) -> bool:
    operators = model.subgraphs[0].operators
    operator = operators[index]
    followers = {name_of(model, operators[k]) for k in readers.get(int(operator.outputs[0]), [])}
    if followers & _ACTIVATIONS:
        return False
    kind = name_of(model, operator)
    return kind in _JOINS or (kind == "CONV_2D" and activation_of(operator) == _LINEAR)
