"""Count the nodes of a graph that a delegate runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.contract.base import Frozen
from pipeline.progress import ProgressEvent, Report

_DELEGATE = "DELEGATE"


class DelegationRequest(Frozen):
    """Ask how a `.tflite` file is delegated on this host."""

    model: Path


class Delegation(Frozen):
    """Hold how many nodes a graph has, how many a delegate runs, and in how many partitions.

    `left` names the operators of the nodes that stay with the interpreter, sorted.
    """

    nodes: int
    delegated: int
    partitions: int
    left: tuple[str, ...]


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
    return Delegation(
        nodes=len(nodes),
        delegated=len(replaced),
        partitions=len(listed) - len(nodes),
        left=tuple(sorted(node["op_name"] for i, node in enumerate(nodes) if i not in replaced)),
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
