"""Store the constants of a float32 graph in float16, as TensorFlow's converter does, without it."""

from __future__ import annotations

import copy

import numpy as np

from pipeline.export.int8.versions import write_versions
from pipeline.tflite.edit import (
    constant,
    consumers,
    duplicate,
    insert_operator,
    set_constant,
    set_kind,
)
from pipeline.tflite.flatbuffer import Model, dtype_name, text
from pipeline.tflite.prune import drop_unused_data, prune

# Raise it when the same float32 graph would give other bytes.
FLOAT16_REVISION = 2
_EMPTY_BUFFER = 0


def with_float16_constants(model: Model) -> Model:
    """Return the graph with every float32 constant in float16, and a DEQUANTIZE behind each.

    A runtime computes in floats: it widens the constants once, when it loads the file. Values
    beyond float16's largest, 65504, become that; smaller ones are rounded to nearest even.

    Args:
        model: a float32 graph; it is not changed.
    """
    from ai_edge_litert import schema_py_generated as schema

    halved = duplicate(model)
    main = halved.subgraphs[0]
    limit = float(np.finfo(np.float16).max)
    read = consumers(halved)
    for index in range(len(main.tensors)):
        tensor = main.tensors[index]
        if index not in read or dtype_name(tensor) != "float32":
            continue
        values = constant(halved, tensor)
        if values is None:
            continue
        stored = copy.copy(tensor)
        # Names are unique in a graph.
        stored.name = f"{text(tensor.name)}/float16"
        stored.type = schema.TensorType.FLOAT16
        # Not the buffer of the float32 values, which others may share.
        stored.buffer = len(halved.buffers)
        halved.buffers.append(schema.BufferT())
        main.tensors.append(stored)
        set_constant(halved, stored, np.clip(values, -limit, limit).astype(np.float16))
        tensor.buffer = _EMPTY_BUFFER
        place = min(consumers(halved)[index])
        widening = insert_operator(halved, place, [len(main.tensors) - 1], index)
        set_kind(halved, widening, "DEQUANTIZE", "DequantizeOptions")
    # What the model's own scaling left behind, whose operators are gone, and the float32 values.
    prune(halved)
    drop_unused_data(halved)
    write_versions(halved)
    return halved
