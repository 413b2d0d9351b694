"""Open a `.tflite` flatbuffer and refuse one that is damaged.

Python's flatbuffers library verifies nothing: a string cut short comes back shorter, an offset
may lead anywhere. So every part of the file is unpacked once and every index in it is checked.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

from pipeline.contract.files import MAX_MODEL_BYTES, read_regular
from pipeline.errors import BadInput, reason_of

# The generated schema's object types carry no annotations.
Model = Any

_IDENTIFIER = b"TFL3"
_HEADER_BYTES = 8
# No table of the schema is smaller than its own offset and its vtable's.
_TABLE_BYTES = 8
# A buffer's offset of 0 or 1 means that its bytes are not outside the flatbuffer.
_FIRST_EXTERNAL_OFFSET = 2

DTYPE_BITS: Final = {
    "float64": 64,
    "int64": 64,
    "uint64": 64,
    "complex64": 64,
    "float32": 32,
    "int32": 32,
    "uint32": 32,
    "float16": 16,
    "bfloat16": 16,
    "int16": 16,
    "uint16": 16,
    "int8": 8,
    "uint8": 8,
    "bool": 8,
    "float8_e4m3fn": 8,
    "float8_e5m2": 8,
    "int4": 4,
    "uint4": 4,
    "int2": 2,
}


def read_file(path: Path) -> bytes:
    """Read a whole `.tflite` file.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return read_regular(path, max_bytes=MAX_MODEL_BYTES)
    except FileNotFoundError as error:
        raise BadInput(
            "there is no .tflite file here",
            where=str(path),
            next_step="give a .tflite file or a bundle; `pipeline export` makes one",
        ) from error
    except OSError as error:
        raise BadInput(
            "cannot read the .tflite file", where=str(path), got=reason_of(error)
        ) from error


def unpack(data: bytes, *, where: str) -> Model:
    """Unpack a `.tflite` file into the schema's `ModelT` and check that it is whole.

    Raises:
        BadInput: empty, not a TFLite file, cut short, or an index or a buffer leads outside.
    """
    from ai_edge_litert import schema_py_generated as schema

    _check_header(data, where)
    try:
        root = schema.Model.GetRootAs(Guarded(data), 0)
        _check_counts(root, len(data), where)
        model = schema.ModelT.InitFromObj(root)
        problem = next(_problems(model, data), None)
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, MemoryError) as error:
        size = f"a part lies outside the file, which has {len(data):,} bytes"
        raise _damaged(where, size) from error
    if problem is not None:
        raise _damaged(where, problem)
    return model


def buffer_bytes(model: Model, index: int, data: bytes) -> bytes:
    """Return the bytes of a buffer, whether inside the flatbuffer or after it; may be empty."""
    buffer = model.buffers[index]
    if buffer.offset >= _FIRST_EXTERNAL_OFFSET:
        return data[buffer.offset : buffer.offset + buffer.size]
    return b"" if buffer.data is None else bytes(buffer.data)


def buffer_size_bytes(model: Model, index: int) -> int:
    """Return the size of a buffer; 0 for an activation's."""
    buffer = model.buffers[index]
    if buffer.offset >= _FIRST_EXTERNAL_OFFSET:
        return int(buffer.size)
    return 0 if buffer.data is None else len(buffer.data)


def metadata_bytes(model: Model, name: str, data: bytes) -> bytes | None:
    """Return the metadata buffer called `name`, or None where there is none."""
    for entry in model.metadata or ():
        if text(entry.name) == name:
            return buffer_bytes(model, entry.buffer, data)
    return None


def text(value: bytes | str | None) -> str:
    """Return a flatbuffer string as text; bytes that are not UTF-8 are shown as such."""
    if value is None:
        return ""
    return value if isinstance(value, str) else value.decode("utf-8", errors="backslashreplace")


def dtype_name(tensor: Any) -> str:
    """Return a tensor's element type in lower case, for example `float32`."""
    return _tensor_types().get(tensor.type, f"type {tensor.type}")


def shape_of(tensor: Any) -> tuple[int, ...]:
    """Return a tensor's shape."""
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


@cache
def _tensor_types() -> dict[int, str]:
    from ai_edge_litert import schema_py_generated as schema

    return {
        value: name.lower()
        for name, value in vars(schema.TensorType).items()
        if isinstance(value, int)
    }


class Guarded(bytes):
    """Refuse slices that reach past the end, which bytes would cut short silently."""

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, slice) and key.stop is not None and key.stop > len(self):
            raise IndexError(f"byte {key.stop} of {len(self)}")
        return super().__getitem__(key)


def _check_header(data: bytes, where: str) -> None:
    if not data:
        raise BadInput("the .tflite file is empty", where=where)
    if data[4:_HEADER_BYTES] != _IDENTIFIER:
        head = data[:16]
        readable = head.isascii() and head.decode("ascii").isprintable()
        raise BadInput(
            "not a TFLite file",
            where=where,
            expected="the identifier TFL3 in bytes 4 to 7",
            got=f"{len(data)} bytes, beginning {head if readable else head.hex()!r}",
        )


def _check_counts(root: Any, size_bytes: int, where: str) -> None:
    # Unpacking costs time for each entry: a count the file has no room for is refused first.
    entries = (
        root.SubgraphsLength()
        + root.BuffersLength()
        + root.OperatorCodesLength()
        + root.MetadataLength()
        + root.SignatureDefsLength()
    )
    if entries * _TABLE_BYTES <= size_bytes:
        for i in range(root.SubgraphsLength()):
            subgraph = root.Subgraphs(i)
            entries += subgraph.TensorsLength() + subgraph.OperatorsLength()
    if entries * _TABLE_BYTES > size_bytes:
        raise _damaged(where, f"it counts {entries} parts in {size_bytes} bytes")


def _problems(model: Model, data: bytes) -> Iterator[str]:
    if not model.subgraphs or not model.buffers:
        yield "it holds no graph"
        return
    for index, buffer in enumerate(model.buffers):
        if buffer.offset >= _FIRST_EXTERNAL_OFFSET and buffer.offset + buffer.size > len(data):
            yield f"buffer {index} ends at byte {buffer.offset + buffer.size} of {len(data)}"
    for entry in model.metadata or ():
        if not 0 <= entry.buffer < len(model.buffers):
            yield f"metadata {text(entry.name)!r} names buffer {entry.buffer}"
    for subgraph in model.subgraphs:
        yield from _subgraph_problems(model, subgraph)
    for signature in model.signatureDefs or ():
        if not 0 <= signature.subgraphIndex < len(model.subgraphs):
            yield f"signature names subgraph {signature.subgraphIndex}"
            continue
        count = len(model.subgraphs[signature.subgraphIndex].tensors or ())
        for tensor_map in [*(signature.inputs or ()), *(signature.outputs or ())]:
            if not 0 <= tensor_map.tensorIndex < count:
                yield f"a signature names tensor {tensor_map.tensorIndex} of {count}"


def _subgraph_problems(model: Model, subgraph: Any) -> Iterator[str]:
    tensors = subgraph.tensors or ()
    count = len(tensors)
    for tensor in tensors:
        if not 0 <= tensor.buffer < len(model.buffers):
            yield f"tensor {text(tensor.name)!r} names buffer {tensor.buffer}"
            continue
        if tensor.externalBuffer:
            yield f"tensor {text(tensor.name)!r} keeps its values in another file"
        yield from _size_problem(model, tensor)
        yield from _scale_problem(tensor)
    for name, listed in (("inputs", subgraph.inputs), ("outputs", subgraph.outputs)):
        if any(not 0 <= i < count for i in _indices(listed)):
            yield f"the graph's {name} name a tensor that does not exist"
    for operator in subgraph.operators or ():
        if not 0 <= operator.opcodeIndex < len(model.operatorCodes or ()):
            yield f"an operator names operator code {operator.opcodeIndex}"
        # -1 stands for an optional input that is left out.
        if any(not -1 <= i < count for i in _indices(operator.inputs)) or any(
            not 0 <= i < count for i in _indices(operator.outputs)
        ):
            yield "an operator names a tensor that does not exist"


def _size_problem(model: Model, tensor: Any) -> Iterator[str]:
    stored = buffer_size_bytes(model, tensor.buffer)
    bits = DTYPE_BITS.get(dtype_name(tensor))
    if not stored or bits is None or tensor.sparsity is not None:
        return
    needed = (math.prod(shape_of(tensor)) * bits + 7) // 8
    if stored != needed:
        yield f"tensor {text(tensor.name)!r} needs {needed} bytes and has {stored}"


def _scale_problem(tensor: Any) -> Iterator[str]:
    """Find a scale that native kernels would divide by zero with, which ends the process."""
    found = tensor.quantization
    scales = () if found is None or found.scale is None else found.scale
    for scale in scales:
        if not (math.isfinite(scale) and scale > 0):
            yield f"tensor {text(tensor.name)!r} has the scale {float(scale):g}"
            return


def _indices(values: Any) -> list[int]:
    return [] if values is None else [int(value) for value in values]


def _damaged(where: str, got: str) -> BadInput:
    return BadInput(
        "the .tflite file is damaged or cut short",
        where=where,
        got=got,
        next_step="export or copy the file again",
    )
