"""Read what a child process of int8 was asked to work on: models and images, by content."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.int8.request import ImageFile, ModelFile
from pipeline.export.int8.threads import usable_cores
from pipeline.imaging.preprocess import load_resized_pixels
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import unpack_whole
from pipeline.tflite.flatbuffer import Model, read_file


def load_model(file: ModelFile) -> Model:
    """Return a model of the very bytes that were named.

    Raises:
        BadInput: the file changed, or is damaged.
    """
    data = read_file(Path(file.path))
    if (found := sha256_bytes(data)) != file.sha256:
        raise BadInput(
            "the file changed while it was being read",
            where=file.path,
            expected=f"sha256 {file.sha256}",
            got=f"sha256 {found}",
        )
    return unpack_whole(data, where=file.path)


def load_pixels(
    images: Sequence[ImageFile], image: ImageContract, task: str, report: Report
) -> npt.NDArray[np.uint8]:
    """Return resized images, uint8 (n, height, width, 3), each of the very bytes that were named.

    Args:
        images: which images.
        image: gives the size.
        task: the name progress is reported under.
        report: receives progress.

    Raises:
        BadInput: an image changed or cannot be decoded.
    """

    def one(file: ImageFile) -> npt.NDArray[np.uint8]:
        # Disjointness from validation and test was proven for these very bytes.
        return load_resized_pixels(Path(file.path), image, file.sha256)

    pixels = np.empty((len(images), image.height_px, image.width_px, 3), np.uint8)
    with ThreadPoolExecutor(max_workers=usable_cores()) as pool:
        for done, resized in enumerate(pool.map(one, images)):
            report(ProgressEvent(task, done, len(images)))
            pixels[done] = resized
    report(ProgressEvent(task, len(images), len(images)))
    return pixels
