"""Write normalization, labels, names and licence into a TFLite file.

The metadata is a flatbuffer of its own in a buffer of the model; label files are packed behind the
model as a zip archive. That is how Android's Task Library and MediaPipe read them. The same inputs
give the same bytes on every platform.
"""

from __future__ import annotations

import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import __version__
from pipeline.contract.about import (
    FULL_NAMES_FILE,
    FULL_NAMES_LOCALE,
    About,
    stored_input_range,
    stored_output_range,
)
from pipeline.contract.bundle import LABELS_FILE
from pipeline.contract.decision import Decision
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import NOTICE
from pipeline.contract.recipe import Io, Recipe
from pipeline.export.convert import INPUT_NAME, OUTPUT_NAME
from pipeline.tflite.edit import pack, unpack_whole
from pipeline.tflite.flatbuffer import Model, read_file, text
from pipeline.tflite.metadata_schema import METADATA_IDENTIFIER, METADATA_NAME, metadata_schema

# The oldest parser that knows every field written here: all are of the schema's first version
# (metadata_schema.fbs lists what later ones added).
MIN_PARSER_VERSION = "1.0.0"
_MODEL_VERSION_DIGITS = 12
# The first moment a zip archive can state: a fixed time keeps equal inputs equal in bytes.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
_ZIP_MADE_ON_UNIX = 3


def about_classifier(
    recipe: Recipe,
    image: ImageContract,
    labels: Labels,
    *,
    model_sha256: str,
    model_version: str | None = None,
    author: str = "",
    license: str = "unknown",
    temperature: float | None = None,
    decision: Decision | None = None,
) -> About:
    """Describe an exported classifier in words.

    Args:
        recipe: how it is quantized.
        image: what it takes.
        labels: what it answers.
        model_sha256: of the `.keras` file; its first 12 digits are the default version.
        model_version: the model's own version.
        author: who made the model; empty where nobody is named.
        license: of the model.
        temperature: by which its logits were scaled; None where they were not.
        decision: how its answers are to be read.
    """
    scaled = "" if temperature is None else f" (calibrated, temperature {temperature:.4g})"
    return About(
        name=f"Image classifier of {len(labels)} classes",
        description=(
            f"Takes an RGB image of {image.width_px}x{image.height_px} pixels, whole frame, "
            f"resized bilinearly; answers the probability of each of {len(labels)} classes"
            f"{scaled}. {_reading(decision or Decision())}"
            f"Recipe {recipe.name}. Exported with pipeline {__version__}. {NOTICE}"
        ),
        version=model_version or model_sha256[:_MODEL_VERSION_DIGITS],
        author=author,
        license=license,
        input_name=INPUT_NAME,
        output_name=OUTPUT_NAME,
    )


def _reading(decision: Decision) -> str:
    """Return how answers are to be read in sentences that end in a space; empty for no rule."""
    said = [f"{label} is named from {value:g} on. " for label, value in decision.thresholds.items()]
    if decision.unsure_below is not None:
        said.append(f"Below {decision.unsure_below:g} an answer is unsure. ")
    return "".join(said)


def write_metadata(
    source: Path, out: Path, *, image: ImageContract, labels: Labels, io: Io, about: About
) -> None:
    """Copy the `.tflite` file `source` to `out` with metadata added.

    Raises:
        BadInput: `source` cannot be read or is damaged.
        EnvironmentProblem: the metadata schema is not installed.
    """
    model = unpack_whole(read_file(source), where=str(source))
    _set_metadata(model, metadata_flatbuffer(image, labels, io, about))
    out.write_bytes(_with_files(pack(model), _label_files(labels)))


def metadata_flatbuffer(
    image: ImageContract, labels: Labels, io: Io, about: About, *, schema: Any = None
) -> bytes:
    """Return the metadata as a flatbuffer.

    Args:
        image: gives normalization, colour space and the input's range.
        labels: names the label files.
        io: the element type of input and output.
        about: the texts.
        schema: the generated module to write with; by default the installed one.
    """
    import flatbuffers

    schema = schema or metadata_schema()
    graph = schema.SubGraphMetadataT()
    graph.inputTensorMetadata = [_input(schema, image, io, about)]
    graph.outputTensorMetadata = [_output(schema, labels, io, about)]
    value = schema.ModelMetadataT()
    value.name, value.description = about.name, about.description
    value.version, value.author = about.version or None, about.author or None
    value.license = about.license or None
    value.subgraphMetadata = [graph]
    value.minParserVersion = MIN_PARSER_VERSION
    builder = flatbuffers.Builder()
    builder.Finish(value.Pack(builder), METADATA_IDENTIFIER)
    return bytes(builder.Output())


def _input(schema: Any, image: ImageContract, io: Io, about: About) -> Any:
    channels = image.channels
    normalization = schema.NormalizationOptionsT()
    normalization.mean = [image.mean] * channels
    normalization.std = [image.std] * channels
    unit = schema.ProcessUnitT()
    unit.optionsType = schema.ProcessUnitOptions.NormalizationOptions
    unit.options = normalization
    properties = schema.ImagePropertiesT()
    properties.colorSpace = schema.ColorSpaceType.RGB
    tensor = schema.TensorMetadataT()
    tensor.name = about.input_name
    tensor.description = f"RGB image of {image.width_px}x{image.height_px} pixels, whole frame."
    tensor.content = schema.ContentT()
    tensor.content.contentPropertiesType = schema.ContentProperties.ImageProperties
    tensor.content.contentProperties = properties
    tensor.processUnits = [unit]
    tensor.stats = _stats(schema, *stored_input_range(image, io), channels)
    return tensor


def _output(schema: Any, labels: Labels, io: Io, about: About) -> Any:
    tensor = schema.TensorMetadataT()
    tensor.name = about.output_name
    tensor.description = "Probability of each label, in the order of the label file."
    tensor.content = schema.ContentT()
    tensor.content.contentPropertiesType = schema.ContentProperties.FeatureProperties
    tensor.content.contentProperties = schema.FeaturePropertiesT()
    low, high = stored_output_range(io)
    tensor.stats = _stats(schema, low, high, 1)
    tensor.associatedFiles = []
    for name in _label_files(labels):
        file = schema.AssociatedFileT()
        file.name = name
        file.description = "Labels for categories that the model can recognize."
        file.type = schema.AssociatedFileType.TENSOR_AXIS_LABELS
        # Clients take the file without a locale as the labels.
        file.locale = FULL_NAMES_LOCALE if name == FULL_NAMES_FILE else None
        tensor.associatedFiles.append(file)
    return tensor


def _stats(schema: Any, low: float, high: float, count: int) -> Any:
    stats = schema.StatsT()
    stats.min, stats.max = [low] * count, [high] * count
    return stats


def _label_files(labels: Labels) -> dict[str, str]:
    files = {LABELS_FILE: labels.text()}
    if labels.full_names:
        files[FULL_NAMES_FILE] = labels.full_names_text()
    return files


def _set_metadata(model: Model, packed: bytes) -> None:
    from ai_edge_litert import schema_py_generated as schema

    buffer = schema.BufferT()
    buffer.data = np.frombuffer(packed, np.uint8)
    model.metadata = model.metadata or []
    for entry in model.metadata:
        if text(entry.name) == METADATA_NAME:
            model.buffers[entry.buffer] = buffer
            return
    entry = schema.MetadataT()
    entry.name, entry.buffer = METADATA_NAME, len(model.buffers)
    model.buffers.append(buffer)
    model.metadata.append(entry)


def _with_files(model: bytes, files: dict[str, str]) -> bytes:
    stream = BytesIO(model)
    with zipfile.ZipFile(stream, "a", compression=zipfile.ZIP_STORED) as archive:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, date_time=_ZIP_EPOCH)
            member.create_system = _ZIP_MADE_ON_UNIX
            archive.writestr(member, content.encode("utf-8"))
    return stream.getvalue()
