"""Make of a finished int8 file one that is the same inside and takes and gives float32."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.choices import Io
from pipeline.contract.files import resolved, write_bytes_atomic
from pipeline.contract.hashing import sha256_bytes, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.export.converted import AdaptedFile
from pipeline.export.int8.io_types import inner_output, set_io_type
from pipeline.export.int8.mean_rounding import whole_mean
from pipeline.export.int8.operators import CONVERSIONS
from pipeline.tflite.edit import name_of, pack, unpack_whole
from pipeline.tflite.flatbuffer import Model, read_file

# Raise it when the bytes that are made here change: it is part of the cache key.
_REVISION = 1


def float_io_file(file: Path, image: ImageContract, io: Io, run: RunDir) -> AdaptedFile:
    """Return the file of an int8 bundle with float32 input and output, made once a run.

    A uint8 input stands for the mean rounded to a whole number, for which the file's biases make
    up; so that is the mean of the file that is returned.

    Args:
        file: the bundle's file.
        image: what it takes.
        io: the type of its input and output, uint8 or int8.
        run: keeps what is made.

    Raises:
        BadInput: the file is not an int8 file of this kind, or is damaged.
    """
    data = read_file(file)
    known_by = {"file_sha256": sha256_bytes(data), "io": str(io), "float_io": _REVISION}
    cached = resolved(run.export_cache) / f"{sha256_json(known_by)}.tflite"
    if not cached.is_file():
        model = unpack_whole(data, where=str(file))
        if io is Io.uint8:
            _take_off(model, str(file))
        set_io_type(model, Io.float32)
        write_bytes_atomic(cached, pack(model))
    fed = image
    if io is Io.uint8:
        fed = image.model_copy(update={"mean": float(whole_mean(image))})
    return AdaptedFile(cached, sha256_bytes(read_file(cached)), fed)


def _take_off(model: Model, where: str) -> None:
    """Leave out the conversions at both ends of the graph."""
    main = model.subgraphs[0]
    entry, out = int(main.inputs[0]), int(main.outputs[0])
    readers = [one for one in main.operators if entry in map(int, one.inputs)]
    inner = inner_output(model)
    if len(readers) != 1 or name_of(model, readers[0]) not in CONVERSIONS or inner == out:
        raise BadInput(
            "the file does not convert its input and output",
            where=where,
            expected="an int8 graph between two conversions",
            got=", ".join(name_of(model, one) for one in readers) or "an input that nothing reads",
        )
    first = readers[0]
    main.operators = [
        one for one in main.operators if one is not first and out not in map(int, one.outputs)
    ]
    main.inputs, main.outputs = [int(first.outputs[0])], [inner]
    for signature in model.signatureDefs or ():
        for entries, inside in ((signature.inputs, main.inputs), (signature.outputs, main.outputs)):
            for named in entries:
                named.tensorIndex = inside[0]
