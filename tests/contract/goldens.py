"""Goldens with known answers, and a bundle folder that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pipeline.contract.bundle import GOLDENS_FILE, GOLDENS_FOLDER, MANIFEST_FILE, MODEL_FILE
from pipeline.contract.files import write_bytes_atomic
from pipeline.contract.goldens import Golden, Goldens
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import BundleManifest, FileEntry
from pipeline.contract.recipe import Quantize, Recipe
from tests.export.samples import ABOUT

NAMES = ("MEL", "NV", "BCC")
MODEL = b"not a model, but pinned like one"
PHOTOS = (b"one photo", b"another photo", b"a third photo")
ANSWERS = ((0.8, 0.15, 0.05), (0.1, 0.7, 0.2), (0.335, 0.333, 0.332))


def goldens(**changes: Any) -> Goldens:
    """Return a golden for each of `PHOTOS`, answered with `ANSWERS`."""
    values: dict[str, Any] = {
        "model_sha256": sha256_bytes(MODEL),
        "image_contract_sha256": ImageContract().digest(),
        "labels": NAMES,
        "tolerance": 0.005,
        "near_levels": 1.0,
        "runtime": "litert",
        "runtime_version": "2.3.0",
        "goldens": tuple(
            golden(f"photo-{i}.jpg", photo, answer)
            for i, (photo, answer) in enumerate(zip(PHOTOS, ANSWERS, strict=True))
        ),
    }
    return Goldens.model_validate(values | changes)


def golden(file: str, photo: bytes, answer: tuple[float, ...], **changes: Any) -> Golden:
    """Return one golden of these bytes."""
    values: dict[str, Any] = {
        "file": file,
        "sha256": sha256_bytes(photo),
        "about": "A test.",
        "width_px": 3,
        "height_px": 2,
        "pixels_sha256": "a" * 64,
        "tensor_sha256": "b" * 64,
        "cell_means": ((1.0, 2.0, 3.0),) * 16,
        "probabilities": dict(zip(NAMES, answer, strict=True)),
    }
    return Golden.model_validate(values | changes)


def bundle(folder: Path, held: Goldens | None) -> Path:
    """Write a bundle folder with these goldens, or without any."""
    contents = {MODEL_FILE: MODEL}
    if held is not None:
        contents |= {f"{GOLDENS_FOLDER}/photo-{i}.jpg": photo for i, photo in enumerate(PHOTOS)}
    for name, content in contents.items():
        write_bytes_atomic(folder / name, content)
    if held is not None:
        held.save(folder / GOLDENS_FILE)
    names = [*contents, *([GOLDENS_FILE] if held else [])]
    BundleManifest(
        versions={},
        seed=0,
        parents={},
        files={name: FileEntry.of(folder / name) for name in names},
        image=ImageContract(),
        labels=Labels(names=NAMES),
        about=ABOUT,
        recipe=Recipe(quantize=Quantize.float16),
        inputs=(),
        outputs=(),
        operators={},
        min_runtime="1.14.0",
        promised_runtime="2.16.0",
    ).save(folder / MANIFEST_FILE)
    return folder
