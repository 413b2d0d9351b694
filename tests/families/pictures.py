"""Draw the synthetic pictures that the families are trained, calibrated and measured on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.contract.image import ImageContract
from pipeline.data.synthesize import synthesize
from pipeline.imaging.preprocess import load_resized_pixels

CLASSES = ("MEL", "NV", "BCC", "VASC")
SIZE_PX = 96
_PER_CLASS = 120
# Two pictures show one lesion, and both are on one side of each of these.
_TRAIN, _REPAIR = 64, 80

Pixels = npt.NDArray[np.uint8]
Truth = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pictures:
    """Hold uint8 (n, SIZE_PX, SIZE_PX, 3) pictures and int64 (n,) labels, three disjoint parts."""

    train: Pixels
    train_truth: Truth
    repair: Pixels
    repair_truth: Truth
    held_out: Pixels
    held_out_truth: Truth


def draw(folder: Path) -> Pictures:
    """Return the pictures, drawn into `folder` if they are not there."""
    drawn = synthesize(folder / "pictures", per_class=_PER_CLASS, size_px=SIZE_PX, seed=3)
    image = ImageContract(height_px=SIZE_PX, width_px=SIZE_PX)
    parts: dict[str, list[tuple[Pixels, int]]] = {"train": [], "repair": [], "held_out": []}
    for number in range(_PER_CLASS):
        part = "train" if number < _TRAIN else "repair" if number < _REPAIR else "held_out"
        for label, name in enumerate(CLASSES):
            path = drawn / name / f"synthetic_{number:05d}.jpg"
            parts[part].append((load_resized_pixels(path, image), label))
    arrays = {
        name: (np.stack([p for p, _ in pairs]), np.array([t for _, t in pairs], np.int64))
        for name, pairs in parts.items()
    }
    return Pictures(*arrays["train"], *arrays["repair"], *arrays["held_out"])
