"""Make a bundle's goldens: photos, and what the host's pixels, tensors and answers are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.contract.bundle import GOLDENS_FILE, GOLDENS_FOLDER, MODEL_FILE
from pipeline.contract.choices import RuntimeName
from pipeline.contract.files import write_bytes_atomic
from pipeline.contract.goldens import GOLDEN_TOLERANCE, NEAR_LEVELS, Golden, Goldens
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.manifest import BundleManifest, FileEntry, package_versions
from pipeline.export.golden_photos import GoldenPhoto, synthetic_photos
from pipeline.imaging.decode import Pixels, decode_bytes
from pipeline.imaging.preprocess import input_tensor, resize_pixels
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import ask
from pipeline.runtimes.interface import Answers, ImageFile, InferenceRequest

_GRID = 4
_RUNTIME_PACKAGE = "ai-edge-litert"


def make_goldens(
    folder: Path,
    manifest: BundleManifest,
    photos: Iterable[GoldenPhoto] = (),
    *,
    log: Path | None = None,
    report: Report = silent,
) -> dict[str, FileEntry]:
    """Write goldens/*.jpg and goldens/goldens.json into a bundle's folder.

    Args:
        folder: holds the finished model.tflite.
        manifest: says what the model takes and answers, and how it was quantized.
        photos: the user's own, beside the synthetic ones.
        log: where the runtime's output goes.
        report: receives progress.

    Returns:
        Each written file, by its name inside the bundle, for the manifest.

    Raises:
        BadInput: the model is refused, or its input cannot be fed.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    chosen = (*synthetic_photos(manifest.image), *photos)
    names = [f"{GOLDENS_FOLDER}/{photo.file}" for photo in chosen]
    for name, photo in zip(names, chosen, strict=True):
        write_bytes_atomic(folder / name, photo.data)
    answers = ask_goldens(folder, manifest, chosen, log=log, report=report)
    Goldens(
        model_sha256=manifest.files[MODEL_FILE].sha256,
        image_contract_sha256=manifest.image.digest(),
        labels=manifest.labels.names,
        tolerance=GOLDEN_TOLERANCE[manifest.recipe.quantize],
        near_levels=NEAR_LEVELS,
        runtime=str(RuntimeName.litert),
        runtime_version=package_versions(_RUNTIME_PACKAGE)[_RUNTIME_PACKAGE],
        goldens=tuple(
            golden_of(photo, manifest, row)
            for photo, row in zip(chosen, answers.probabilities.tolist(), strict=True)
        ),
    ).save(folder / GOLDENS_FILE)
    return {name: FileEntry.of(folder / name) for name in (*names, GOLDENS_FILE)}


def ask_goldens(
    folder: Path,
    manifest: BundleManifest,
    photos: Sequence[GoldenPhoto | Golden],
    *,
    log: Path | None = None,
    report: Report = silent,
) -> Answers:
    """Ask LiteRT on this host what a bundle's model answers to the photos in it.

    Raises:
        BadInput: the model or a photo is refused, or is not the one that was listed.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    return ask(
        InferenceRequest(
            runtime=RuntimeName.litert,
            model=folder / MODEL_FILE,
            model_sha256=manifest.files[MODEL_FILE].sha256,
            image=manifest.image,
            labels=manifest.labels.names,
            images=tuple(
                ImageFile(path=folder / GOLDENS_FOLDER / photo.file, sha256=photo.sha256)
                for photo in photos
            ),
        ),
        log=log,
        report=report,
    )


def golden_of(photo: GoldenPhoto, manifest: BundleManifest, probabilities: list[float]) -> Golden:
    """Take every step of a golden on this host, from the photo's bytes to the model's input.

    Args:
        photo: a JPEG.
        manifest: says what the model takes and answers.
        probabilities: what it answers to the photo, in the order of its labels, 0 to 1.

    Raises:
        BadInput: the photo cannot be decoded.
    """
    pixels = decode_bytes(photo.data, manifest.image, where=photo.file)
    resized = resize_pixels(pixels, manifest.image)
    (fed,) = manifest.inputs
    tensor = input_tensor(
        resized, manifest.image, dtype=fed.dtype, scale=fed.scale, zero_point=fed.zero_point
    )
    return Golden(
        file=photo.file,
        sha256=photo.sha256,
        about=photo.about,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        pixels_sha256=sha256_bytes(pixels.tobytes()),
        tensor_sha256=sha256_bytes(_little_endian(tensor).tobytes()),
        cell_means=cell_means(resized),
        probabilities=dict(zip(manifest.labels.names, probabilities, strict=True)),
    )


def _little_endian(tensor: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return tensor.astype(tensor.dtype.newbyteorder("<"))


def cell_means(pixels: Pixels) -> tuple[tuple[float, float, float], ...]:
    """Average each channel over a 4 x 4 grid of a picture, rows first; see `Golden`.

    Args:
        pixels: uint8 array (height, width, 3), 0 to 255.

    Returns:
        16 means of red, green and blue, rounded to three decimals.
    """
    height, width = pixels.shape[:2]
    means = []
    for row in range(_GRID):
        for column in range(_GRID):
            cell = pixels[
                row * height // _GRID : (row + 1) * height // _GRID,
                column * width // _GRID : (column + 1) * width // _GRID,
            ]
            red, green, blue = np.round(cell.mean(axis=(0, 1), dtype=np.float64), 3).tolist()
            means.append((red, green, blue))
    return tuple(means)
