"""Read the metadata of a `.tflite` file: normalization, labels, names, licence.

The metadata is a flatbuffer of its own in the TFLITE_METADATA buffer; the label file is packed
as a zip archive behind the model.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from pipeline.contract.base import Frozen, first_problem
from pipeline.contract.image import ImageContract, image_of_model
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput
from pipeline.tflite.flatbuffer import Guarded, Model, metadata_bytes, read_file, text, unpack
from pipeline.tflite.graph import Graph, describe
from pipeline.tflite.metadata_schema import METADATA_IDENTIFIER, METADATA_NAME, metadata_schema

_MAX_LABEL_BYTES = 16 * 2**20
_COLORS = {0: "unknown", 1: "RGB", 2: "GRAYSCALE"}


class DescribedModel(Frozen):
    """Hold what a classifier's file tells about its use: how to prepare images, what it names."""

    image: ImageContract
    labels: Labels


class InputMetadata(Frozen):
    """Describe the image input: real = (level - mean) / std per channel, levels 0 to 255.

    `minimum` and `maximum` bound the stored values of the tensor.
    """

    name: str
    description: str
    color: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


class OutputMetadata(Frozen):
    """Describe the output; `labels` come from the label file packed in the model.

    `display_names` come from the first label file that has a locale: what a person reads for
    each label, in the same order; empty where there is none.
    """

    name: str
    description: str
    labels: tuple[str, ...]
    display_names: tuple[str, ...] = ()
    minimum: tuple[float, ...]
    maximum: tuple[float, ...]


class ModelMetadata(Frozen):
    """Hold what a `.tflite` file says about itself; absent text is empty."""

    name: str
    description: str
    version: str
    author: str
    license: str
    min_parser_version: str
    input: InputMetadata | None
    output: OutputMetadata | None
    files: tuple[str, ...]


def metadata_of(model: Model, data: bytes, *, where: str) -> ModelMetadata | None:
    """Read the metadata of an unpacked model, or return None where it carries none.

    Raises:
        BadInput: the metadata is damaged, or a file it names is missing or damaged.
    """
    packed = metadata_bytes(model, METADATA_NAME, data)
    if packed is None:
        return None
    if packed[4:8] != METADATA_IDENTIFIER:
        raise _damaged(where, f"identifier {packed[4:8]!r}, not {METADATA_IDENTIFIER!r}")
    schema = metadata_schema()
    try:
        value = schema.ModelMetadataT.InitFromPackedBuf(Guarded(packed), 0)
        subgraphs = value.subgraphMetadata or []
        inputs = subgraphs[0].inputTensorMetadata or [] if subgraphs else []
        outputs = subgraphs[0].outputTensorMetadata or [] if subgraphs else []
        return ModelMetadata(
            name=text(value.name),
            description=text(value.description),
            version=text(value.version),
            author=text(value.author),
            license=text(value.license),
            min_parser_version=text(value.minParserVersion),
            input=_input(inputs[0], schema) if len(inputs) == 1 else None,
            output=_output(outputs[0], schema, data, where) if len(outputs) == 1 else None,
            files=_packed_files(data),
        )
    except (struct.error, IndexError, ValueError, TypeError, OverflowError, MemoryError) as error:
        raise _damaged(where, str(error)) from error


def described_model(path: Path) -> DescribedModel:
    """Read from a `.tflite` file alone how to prepare its images and what its outputs mean.

    Raises:
        BadInput: the file is damaged, or its metadata lacks normalization or labels.
    """
    data, where = read_file(path), str(path)
    model = unpack(data, where=where)
    graph, metadata = describe(model, data), metadata_of(model, data, where=where)
    image = image_contract(graph, metadata, where=where)
    about = metadata.output if metadata else None
    names = about.labels if about else ()
    shape = graph.outputs[0].shape if len(graph.outputs) == 1 else ()
    if shape != (1, len(names)):
        raise BadInput(
            "the model's labels do not fit its output",
            where=where,
            expected=f"one output of shape (1, {len(names)}), one value for each label",
            got=f"{[tuple(info.shape) for info in graph.outputs]} and {len(names)} labels",
            next_step="export it with `pipeline export`, which writes the labels",
        )
    shown = about.display_names if about else ()
    if shown and len(shown) != len(names):
        raise BadInput(
            "the model's full names do not fit its labels",
            where=where,
            expected=f"{len(names)} lines, one for each label",
            got=f"{len(shown)} lines: {', '.join(shown)}",
            next_step="export it with `pipeline export`, which writes them",
        )
    full_names = {name: full for name, full in zip(names, shown, strict=False) if full != name}
    try:
        return DescribedModel(image=image, labels=Labels(names=names, full_names=full_names))
    except ValidationError as error:
        raise BadInput(
            "the model's label file is not usable", where=where, got=first_problem(error)
        ) from error


def image_contract(graph: Graph, metadata: ModelMetadata | None, *, where: str) -> ImageContract:
    """Derive the image contract from a file's input tensor and its metadata.

    Raises:
        BadInput: the file lacks normalization, or is not an RGB image classifier of batch 1.
    """
    if metadata is None or metadata.input is None or not metadata.input.mean:
        raise BadInput(
            "the model does not say how images are normalized",
            where=where,
            expected="TFLite metadata with a mean and a standard deviation",
            got="no metadata" if metadata is None else "metadata without normalization",
            next_step="export it with `pipeline export`, which writes the metadata",
        )
    about = metadata.input
    shape = graph.inputs[0].shape if len(graph.inputs) == 1 else ()
    if len(shape) != 4 or shape[0] != 1 or shape[3] != 3 or about.color != "RGB":
        raise BadInput(
            "the model does not take one RGB image",
            where=where,
            expected="one input of shape (1, height, width, 3), colour RGB",
            got=f"{[tuple(info.shape) for info in graph.inputs]}, colour {about.color}",
        )
    if len(set(about.mean)) != 1 or len(set(about.std)) != 1:
        raise BadInput(
            "the model normalizes each channel differently, which the image contract does not",
            where=where,
            got=f"mean {about.mean}, std {about.std}",
        )
    return image_of_model(shape[1], shape[2], about.mean[0], about.std[0], where=where)


def _input(tensor: Any, schema: Any) -> InputMetadata:
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    for unit in tensor.processUnits or ():
        options = unit.options
        # A damaged file can name a kind of options and hold none.
        if options and unit.optionsType == schema.ProcessUnitOptions.NormalizationOptions:
            mean, std = _floats(options.mean), _floats(options.std)
    if len(mean) != len(std):
        raise ValueError(f"{len(mean)} means and {len(std)} standard deviations")
    content, color = tensor.content, 0
    if content and content.contentPropertiesType == schema.ContentProperties.ImageProperties:
        color = content.contentProperties.colorSpace if content.contentProperties else 0
    return InputMetadata(
        name=text(tensor.name),
        description=text(tensor.description),
        color=_COLORS.get(color, f"colour {color}"),
        mean=mean,
        std=std,
        minimum=_floats(tensor.stats.min if tensor.stats else None),
        maximum=_floats(tensor.stats.max if tensor.stats else None),
    )


def _output(tensor: Any, schema: Any, data: bytes, where: str) -> OutputMetadata:
    labels: tuple[str, ...] = ()
    display_names: tuple[str, ...] = ()
    for file in tensor.associatedFiles or ():
        if file.type != schema.AssociatedFileType.TENSOR_AXIS_LABELS:
            continue
        lines = _read_labels(data, text(file.name), where)
        if not file.locale:
            labels = lines
        elif not display_names:
            display_names = lines
    return OutputMetadata(
        name=text(tensor.name),
        description=text(tensor.description),
        labels=labels,
        display_names=display_names,
        minimum=_floats(tensor.stats.min if tensor.stats else None),
        maximum=_floats(tensor.stats.max if tensor.stats else None),
    )


def _read_labels(data: bytes, name: str, where: str) -> tuple[str, ...]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo(name).file_size > _MAX_LABEL_BYTES:
                raise _damaged(where, f"label file {name} is larger than {_MAX_LABEL_BYTES} bytes")
            content = archive.read(name).decode("utf-8")
    except KeyError as error:
        raise _damaged(where, f"label file {name} is not packed in the model") from error
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeDecodeError,
    ) as error:
        raise _damaged(where, f"label file {name} cannot be read: {error}") from error
    return tuple(line.strip() for line in content.splitlines() if line.strip())


def _packed_files(data: bytes) -> tuple[str, ...]:
    stream = io.BytesIO(data)
    if not zipfile.is_zipfile(stream):
        return ()
    with zipfile.ZipFile(stream) as archive:
        return tuple(sorted(archive.namelist()))


def _floats(values: Any) -> tuple[float, ...]:
    return () if values is None else tuple(float(value) for value in values)


def _damaged(where: str, got: str) -> BadInput:
    return BadInput(
        "the metadata of the .tflite file is damaged",
        where=where,
        got=got,
        next_step="export or copy the file again",
    )
