"""Take out of an unpacked `.tflite` model what nothing in it uses."""

from __future__ import annotations

from pipeline.tflite.flatbuffer import Model


def prune(model: Model) -> None:
    """Drop the tensors of the first subgraph that no operator touches, in place, and their data.

    Inputs and outputs of the graph stay, used or not.
    """
    main = model.subgraphs[0]
    used = {int(j) for j in (*main.inputs, *main.outputs)}
    for operator in main.operators:
        used |= {int(j) for j in (*operator.inputs, *operator.outputs) if j >= 0}
    if len(used) == len(main.tensors):
        return
    place = {old: new for new, old in enumerate(sorted(used))} | {-1: -1}
    main.tensors = [main.tensors[old] for old in sorted(used)]
    main.inputs = [place[int(j)] for j in main.inputs]
    main.outputs = [place[int(j)] for j in main.outputs]
    for operator in main.operators:
        operator.inputs = [place[int(j)] for j in operator.inputs]
        operator.outputs = [place[int(j)] for j in operator.outputs]
    for signature in model.signatureDefs or ():
        for entry in (*signature.inputs, *signature.outputs):
            entry.tensorIndex = place[int(entry.tensorIndex)]
    drop_unused_data(model)


def drop_unused_data(model: Model) -> None:
    """Empty the buffers that no tensor and no metadata refers to, in place."""
    kept = {int(tensor.buffer) for graph in model.subgraphs for tensor in graph.tensors}
    kept |= {int(entry.buffer) for entry in model.metadata or ()}
    for index, buffer in enumerate(model.buffers):
        if index not in kept:
            buffer.data = None
