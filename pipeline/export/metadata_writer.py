"""Write normalization, labels, names and licence into a TFLite file.

`write_metadata_child` runs in a child process; nothing else here needs tflite_support.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path
from typing import Any

from pipeline.contract.about import (
    FULL_NAMES_FILE,
    FULL_NAMES_LOCALE,
    About,
    stored_input_range,
    stored_output_range,
)
from pipeline.contract.bundle import LABELS_FILE
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.recipe import Io
from pipeline.progress import ProgressEvent, Report
from pipeline.runtimes.native import prepare_tflite_support

# The first moment a zip archive can state: a fixed time keeps equal inputs equal in bytes.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_metadata_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Copy the flatbuffer `request["model"]` to `request["out"]` with metadata added.

    The request holds model, out, image (contract), labels, io and about. The label files are
    packed behind the model as a zip archive, the way the Task Library and MediaPipe read them.

    Raises:
        EnvironmentProblem: tflite-support cannot be loaded.
    """
    image = ImageContract.model_validate(request["image"])
    labels = Labels.model_validate(request["labels"])
    about, io_type = About.model_validate(request["about"]), Io(request["io"])
    report(ProgressEvent("describe", 0, 1, "write metadata"))
    prepare_tflite_support()
    model = bytearray(Path(request["model"]).read_bytes())
    with tempfile.TemporaryDirectory(prefix="pipeline-labels-") as folder:
        data = _populate(model, image, _label_files(labels, Path(folder)), io_type, about)
    data = _with_fixed_times(data)
    Path(request["out"]).write_bytes(data)
    report(ProgressEvent("describe", 1, 1))
    return {"sha256": sha256_bytes(data), "size_bytes": len(data)}


def _label_files(labels: Labels, folder: Path) -> list[tuple[Path, str | None]]:
    """Write the label files and return each with its locale; clients take the first as labels."""
    files: list[tuple[Path, str | None]] = [(folder / LABELS_FILE, None)]
    files[0][0].write_text(labels.text(), encoding="utf-8")
    if labels.full_names:
        files.append((folder / FULL_NAMES_FILE, FULL_NAMES_LOCALE))
        files[1][0].write_text(labels.full_names_text(), encoding="utf-8")
    return files


def _populate(
    model: bytearray,
    image: ImageContract,
    label_files: list[tuple[Path, str | None]],
    io_type: Io,
    about: About,
) -> bytes:
    from tflite_support import metadata_schema_py_generated as schema
    from tflite_support.metadata_writers import image_classifier, metadata_info

    general = metadata_info.GeneralMd(
        name=about.name,
        version=about.version,
        description=about.description,
        author=about.author,
        licenses=about.license,
    )
    channels = image.channels
    input_md = metadata_info.InputImageTensorMd(
        name=about.input_name,
        description=f"RGB image of {image.width_px}x{image.height_px} pixels, whole frame.",
        norm_mean=[image.mean] * channels,
        norm_std=[image.std] * channels,
        color_space_type=schema.ColorSpaceType.RGB,
    )
    low, high = stored_input_range(image, io_type)
    input_md.min_values, input_md.max_values = [low] * channels, [high] * channels
    output_md = metadata_info.ClassificationTensorMd(
        name=about.output_name,
        description="Probability of each label, in the order of the label file.",
        label_files=[
            metadata_info.LabelFileMd(file_path=str(path), locale=locale)
            for path, locale in label_files
        ],
    )
    low, high = stored_output_range(io_type)
    output_md.min_values, output_md.max_values = [low], [high]
    writer = image_classifier.MetadataWriter.create_from_metadata_info(
        model, general_md=general, input_md=input_md, output_md=output_md
    )
    return bytes(writer.populate())


def _with_fixed_times(data: bytes) -> bytes:
    # The populator stamps the packed files with the time of day.
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        start = min(member.header_offset for member in archive.infolist())
        contents = {name: archive.read(name) for name in sorted(archive.namelist())}
    stream = io.BytesIO()
    stream.write(data[:start])
    with zipfile.ZipFile(stream, "a", compression=zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=_ZIP_EPOCH), content)
    return stream.getvalue()
