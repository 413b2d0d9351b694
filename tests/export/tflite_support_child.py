"""Read and write metadata with tflite-support itself. Child process only."""

from __future__ import annotations

import json
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

from pipeline.contract.about import About, stored_input_range
from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.recipe import Io
from pipeline.progress import Report
from pipeline.runtimes.native import prepare_tflite_support


class DisplayRequest(Frozen):
    """Name a file with metadata."""

    model: str


class Displayed(Frozen):
    """Hold what the displayer says: the metadata, and the packed files' contents."""

    metadata: dict[str, Any]
    files: dict[str, str]


class WriteRequest(Frozen):
    """Name a file without metadata, and what its metadata is to say."""

    model: str
    image: ImageContract
    labels: Labels
    io: Io
    about: About


class Written(Frozen):
    """Hold the flatbuffer of the file that tflite-support made, and the packed files in order."""

    flatbuffer_hex: str
    files: dict[str, str]


def display(request: DisplayRequest, report: Report) -> Displayed:
    """Show a file's metadata as tflite-support's displayer does."""
    prepare_tflite_support()
    from tflite_support import metadata

    displayer = metadata.MetadataDisplayer.with_model_file(request.model)
    return Displayed(
        metadata=json.loads(displayer.get_metadata_json()),
        files={
            name: displayer.get_associated_file_buffer(name).decode("utf-8")
            for name in displayer.get_packed_associated_file_list()
        },
    )


def write(request: WriteRequest, report: Report) -> Written:
    """Write the same metadata with tflite-support's own writer and populator."""
    prepare_tflite_support()
    from tflite_support import metadata_schema_py_generated as schema
    from tflite_support.metadata_writers import image_classifier, metadata_info

    about, image, labels = request.about, request.image, request.labels
    channels = image.channels
    general = metadata_info.GeneralMd(
        name=about.name,
        version=about.version,
        description=about.description,
        author=about.author,
        licenses=about.license,
    )
    input_md = metadata_info.InputImageTensorMd(
        name=about.input_name,
        description=f"RGB image of {image.width_px}x{image.height_px} pixels, whole frame.",
        norm_mean=[image.mean] * channels,
        norm_std=[image.std] * channels,
        color_space_type=schema.ColorSpaceType.RGB,
    )
    low, high = stored_input_range(image, request.io)
    input_md.min_values, input_md.max_values = [low] * channels, [high] * channels
    with tempfile.TemporaryDirectory() as folder:
        files = [("labels.txt", labels.text(), None)]
        if labels.full_names:
            files.append(("labels_en.txt", labels.full_names_text(), "en"))
        label_files = []
        for name, content, locale in files:
            path = Path(folder) / name
            path.write_text(content, encoding="utf-8")
            label_files.append(metadata_info.LabelFileMd(file_path=str(path), locale=locale))
        output_md = metadata_info.ClassificationTensorMd(
            name=about.output_name,
            description="Probability of each label, in the order of the label file.",
            label_files=label_files,
        )
        low, high = {
            Io.float32: (0.0, 1.0),
            Io.uint8: (0.0, 255.0),
            Io.int8: (-128.0, 127.0),
        }[request.io]
        output_md.min_values, output_md.max_values = [low], [high]
        data = image_classifier.MetadataWriter.create_from_metadata_info(
            bytearray(Path(request.model).read_bytes()),
            general_md=general,
            input_md=input_md,
            output_md=output_md,
        ).populate()
    # The populator stamps the packed files with the time of day, so only their contents compare.
    with zipfile.ZipFile(BytesIO(data)) as archive:
        start = min(member.header_offset for member in archive.infolist())
        contents = {name: archive.read(name).decode("utf-8") for name in archive.namelist()}
    return Written(flatbuffer_hex=bytes(data[:start]).hex(), files=contents)
