"""Small datasets and odd images for the training tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.child import ask_child
from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.training.backbones.interface import Backbone
from tests.training.questions import WeightsAnswer, WeightsRequest

LABELS = Labels(names=("red", "green", "blue"))
SMALL = ImageContract(height_px=64, width_px=64)


def small_image(member: Backbone) -> ImageContract:
    """Return an image of 64 px as the backbone wants it."""
    return SMALL.model_copy(update={"mean": member.mean, "std": member.std})


def small_width(member: Backbone) -> float:
    """Return a small width that the backbone takes."""
    return 0.35 if member.takes(0.35) else min(member.imagenet_widths)


def coloured_dataset(folder: Path, run: RunDir, per_class: int = 14) -> DatasetManifest:
    """Write noisy images in which one colour channel is the class, and their manifest."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    records = []
    for number in range(per_class):
        split = Split.train if number < 8 else Split.validation if number < 11 else Split.test
        for channel, label in enumerate(LABELS.names):
            pixels = random.integers(0, 90, (48, 56, 3)).astype(np.uint8)
            pixels[:, :, channel] += 150
            path = folder / f"{label}-{number:02d}.png"
            Image.fromarray(pixels).save(path)
            records.append(
                ImageRecord(
                    path=path.name,
                    label=label,
                    group=path.stem,
                    split=split,
                    width_px=56,
                    height_px=48,
                    size_bytes=path.stat().st_size,
                    sha256=sha256_file(path),
                )
            )
    manifest = DatasetManifest(
        root=str(folder),
        layout="folder",
        labels=LABELS,
        seed=0,
        fractions=(0.6, 0.2, 0.2),
        images=tuple(records),
    )
    manifest.save(run.dataset)
    return manifest


def random_weights(file: Path, backbone: str = "mobilenet_v2", width: float = 0.35) -> Path:
    """Write a `.weights.h5` file of a backbone without its top, as a person would bring one."""
    request = WeightsRequest(backbone=backbone, width=width, size_px=64, file=file)
    ask_child("tests.training.weights:write_weights", request, WeightsAnswer)
    return file


def odd_images(folder: Path) -> dict[str, Path]:
    """Write one image of every kind that decoders and resizers disagree about."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(1)

    def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
        return random.integers(0, 256, (height, width, channels)).astype(np.uint8)

    def smooth(height: int, width: int) -> np.ndarray:
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
        waves = [np.sin(rows / (9 + c)) * np.cos(columns / (13 - c)) for c in range(3)]
        return (127.5 + 127.5 * np.stack(waves, axis=2)).astype(np.uint8)

    made: dict[str, Path] = {}

    def keep(name: str, image: Image.Image, suffix: str, **options: object) -> None:
        made[name] = folder / f"{name}.{suffix}"
        image.save(made[name], **options)

    keep("odd size", Image.fromarray(noise(101, 67)), "png")
    keep("odd jpeg", Image.fromarray(smooth(333, 217)), "jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    keep("portrait exif", Image.fromarray(smooth(120, 190)), "jpg", exif=exif)
    keep("grayscale", Image.fromarray(noise(75, 90, 1)[:, :, 0]), "png")
    keep("cmyk", Image.fromarray(smooth(80, 64)).convert("CMYK"), "jpg")
    keep("alpha", Image.fromarray(noise(70, 71, 4), "RGBA"), "png")
    palette = Image.fromarray(smooth(90, 91)).quantize(31)
    keep("palette", palette, "png", transparency=3)
    sixteen = random.integers(0, 65536, (66, 99)).astype(np.uint16)
    keep("16 bit", Image.fromarray(sixteen), "png")
    keep("one pixel", Image.fromarray(noise(1, 1)), "png")
    keep("8000x6000", Image.fromarray(smooth(6000, 8000)), "jpg", quality=80)
    return made
