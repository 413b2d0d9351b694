"""Count the nodes of a graph that a delegate runs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.flatbuffer import read_file, unpack

_DELEGATE = "DELEGATE"
# What XNNPACK's int8 kernels in LiteRT 2.3 take. Found by measuring, as
# `pipeline.parity.structure_graph.NOT_DELEGATED` was.
_MAX_CONCATENATED = 5
_LEAST_SCALE_RATIO, _LARGEST_SCALE_RATIO = 2.0**-10, 2.0**8


class DelegationRequest(Frozen):
    """Ask how a `.tflite` file is delegated on this host."""

    model: Path


class Delegation(Frozen):
    """Hold how many nodes a graph has, how many a delegate runs, and in how many partitions.

    `left` names the operators of the nodes that stay with the interpreter, sorted. `beyond` names
    those among them whose operator XNNPACK has an int8 kernel for, but not for these tensors: too
    many inputs, scales too far apart, a stride.
    """

    nodes: int
    delegated: int
    partitions: int
    left: tuple[str, ...]
    beyond: tuple[str, ...] = ()


def delegation_child(request: DelegationRequest, report: Report) -> Delegation:
    """Load the model as LiteRT does by default, and count. Runs in a child process.

    LiteRT lists a delegate as one more node, with the inputs and outputs of the part it replaced.
    """
    from ai_edge_litert.interpreter import Interpreter

    report(ProgressEvent("count delegated nodes", 0, 1))
    interpreter = Interpreter(model_path=str(request.model))
    interpreter.allocate_tensors()
    # The only listing of nodes there is; the interpreter's own profiler uses it.
    listed = interpreter._get_ops_details()
    nodes = [node for node in listed if node["op_name"] != _DELEGATE]
    replaced = _replaced(nodes, listed)
    left = [place for place in range(len(nodes)) if place not in replaced]
    details = {tensor["index"]: tensor for tensor in interpreter.get_tensor_details()}
    operators = unpack(read_file(request.model), where=str(request.model)).subgraphs[0].operators
    beyond = [
        place
        for place in left
        if _beyond_kernel(
            nodes[place], details, interpreter.get_tensor, operators[place].builtinOptions
        )
    ]
    return Delegation(
        nodes=len(nodes),
        delegated=len(replaced),
        partitions=len(listed) - len(nodes),
        left=tuple(sorted(nodes[place]["op_name"] for place in left)),
        beyond=tuple(sorted(nodes[place]["op_name"] for place in beyond)),
    )


def _replaced(nodes: list[dict[str, Any]], listed: list[dict[str, Any]]) -> set[int]:
    writer = {int(tensor): place for place, node in enumerate(nodes) for tensor in node["outputs"]}
    found: set[int] = set()
    for delegate in (node for node in listed if node["op_name"] == _DELEGATE):
        inputs = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            place = writer.get(waiting.pop())
            if place is None or place in found:
                continue
            found.add(place)
            waiting += [int(j) for j in nodes[place]["inputs"] if j >= 0 and int(j) not in inputs]
    return found


def _beyond_kernel(
    node: dict[str, Any],
    details: dict[int, dict[str, Any]],
    values: Callable[[int], Any],
    options: Any,
) -> bool:
    inputs = [int(j) for j in node["inputs"] if j >= 0]
    match node["op_name"]:
        case "CONCATENATION":
            return len(inputs) > _MAX_CONCATENATED
        case "MAX_POOL_2D":
            # Every other pixel, as in the shortcuts of ResNetV2.
            alone = (options.filterHeight, options.filterWidth) == (1, 1)
            return alone and (options.strideH, options.strideW) != (1, 1)
        case "STRIDED_SLICE":
            return bool((values(inputs[3]) != 1).any())
        case "ADD" | "SUB":
            output = details[int(node["outputs"][0])]["quantization"][0]
            scales = [details[j]["quantization"][0] for j in inputs]
            return bool(output) and not all(
                _LEAST_SCALE_RATIO <= scale / output < _LARGEST_SCALE_RATIO for scale in scales
            )
        case _:
            return False
