"""Count the nodes of a graph that a delegate runs. Child process only."""

from __future__ import annotations

from typing import Any

from ai_edge_litert.interpreter import Interpreter

from pipeline.progress import ProgressEvent, Report

_DELEGATE = "DELEGATE"


def delegation_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Load `request["model"]` and count: nodes, those a delegate replaced, and in how many parts.

    LiteRT lists a delegate as one more node, with the inputs and outputs of the part it replaced.
    `left` names the operators of the nodes that stay with the interpreter.
    """
    report(ProgressEvent("count delegated nodes", 0, 1))
    interpreter = Interpreter(model_path=request["model"])
    interpreter.allocate_tensors()
    # The only listing of nodes there is; the interpreter's own profiler uses it.
    listed = interpreter._get_ops_details()
    nodes = [node for node in listed if node["op_name"] != _DELEGATE]
    replaced = _replaced(nodes, listed)
    return {
        "nodes": len(nodes),
        "delegated": len(replaced),
        "partitions": len(listed) - len(nodes),
        "left": sorted(node["op_name"] for i, node in enumerate(nodes) if i not in replaced),
    }


def _replaced(nodes: list[dict[str, Any]], listed: list[dict[str, Any]]) -> set[int]:
    writer = {int(tensor): place for place, node in enumerate(nodes) for tensor in node["outputs"]}
    found: set[int] = set()
    for delegate in (node for node in listed if node["op_name"] == _DELEGATE):
        ends = {int(tensor) for tensor in delegate["inputs"]}
        waiting = [int(tensor) for tensor in delegate["outputs"]]
        while waiting:
            place = writer.get(waiting.pop())
            if place is None or place in found:
                continue
            found.add(place)
            waiting += [int(j) for j in nodes[place]["inputs"] if j >= 0 and int(j) not in ends]
    return found
