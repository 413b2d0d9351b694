"""Give tensors one range where an operator's int8 kernel wants one scale for all it touches.

Padding, pooling, reshaping, slicing and concatenation move int8 values without computing: input
and output must stand for the same real numbers. Where their ranges differ the quantizer puts a
QUANTIZE between, which rounds once more; TensorFlow's own converter propagates one scale instead,
and so does this.
"""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.export.int8.value_range import Range, Ranges
from pipeline.tflite.edit import dynamic_inputs, name_of
from pipeline.tflite.flatbuffer import Model, dtype_name, text

# They hand values on; ranges of inputs and outputs are one.
HAND_ON = frozenset(
    {
        "AVERAGE_POOL_2D",
        "MAX_POOL_2D",
        "PAD",
        "RESHAPE",
        "SLICE",
        "STRIDED_SLICE",
        "TRANSPOSE",
    }
)
# What the int8 kernels of these give is fixed: 1/256 from 0, 1/128 around 0.
_PROBABILITY: Range = (0.0, 255 / 256)
_FIXED: dict[str, Range] = {
    "LOGISTIC": _PROBABILITY,
    "SOFTMAX": _PROBABILITY,
    "TANH": (-1.0, 127 / 128),
}


class _Groups:
    """Keep which tensors are tied together."""

    def __init__(self) -> None:
        self._leader: dict[int, int] = {}

    def of(self, tensor: int) -> int:
        while self._leader.get(tensor, tensor) != tensor:
            tensor = self._leader[tensor]
        return tensor

    def tie(self, tensors: Iterable[int]) -> None:
        first, *rest = (self.of(tensor) for tensor in tensors)
        for other in rest:
            self._leader[other] = first
        self._leader.setdefault(first, first)

    def members(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = {}
        for tensor in self._leader:
            found.setdefault(self.of(tensor), []).append(tensor)
        return {leader: sorted(tensors) for leader, tensors in found.items()}


def with_equal_scales(model: Model, ranges: Ranges) -> Ranges:
    """Return the ranges with those of tied tensors made equal: the widest of them.

    The graph's input keeps its range, which stands for pixels, as do tensors whose scale a kernel
    fixes; what only hands them on follows them. A concatenation with such a tensor leaves it out,
    and the quantizer converts it.

    Args:
        model: a float32 graph.
        ranges: low and high of every activation, by tensor name.
    """
    main = model.subgraphs[0]
    names = [text(tensor.name) for tensor in main.tensors]
    fixed = {int(main.inputs[0]): ranges[names[int(main.inputs[0])]]}
    groups = _Groups()
    concatenations = []
    for operator in main.operators:
        kind = name_of(model, operator)
        outputs = [int(j) for j in operator.outputs]
        inputs = [
            j for j in dynamic_inputs(model, operator) if dtype_name(main.tensors[j]) == "float32"
        ]
        if kind in HAND_ON:
            groups.tie([*inputs[:1], *outputs])
        elif kind == "CONCATENATION" and len(inputs) == 1:
            # Constants laid around an activation.
            groups.tie([*inputs, *outputs])
        elif kind == "CONCATENATION":
            concatenations.append((inputs, outputs))
        elif kind in _FIXED:
            fixed[outputs[0]] = _FIXED[kind]
    kept = {groups.of(tensor) for tensor in fixed}
    for inputs, outputs in concatenations:
        groups.tie([*outputs, *(j for j in inputs if groups.of(j) not in kept)])
    leaders = {groups.of(tensor): span for tensor, span in fixed.items()}
    equal = dict(ranges)
    for leader, tensors in groups.members().items():
        known = [ranges[names[j]] for j in tensors if names[j] in ranges]
        if len(tensors) < 2 or not known:
            continue
        widest = (min(low for low, _ in known), max(high for _, high in known))
        for j in tensors:
            equal[names[j]] = leaders.get(leader, widest)
    return equal
