"""Make small image collections for the tests."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.contract.labels import ISIC_2019


def jpeg(seed: int, size: tuple[int, int] = (40, 32)) -> bytes:
    """Return a JPEG whose pixels and perceptual hash depend on `seed`."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    coarse.resize(size, Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def class_folders(root: Path, counts: Mapping[str, int], seed: int = 0) -> Path:
    """Write a folder per class with so many different pictures."""
    for label, count in counts.items():
        (root / label).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            seed += 1
            (root / label / f"pic_{number:03d}.jpg").write_bytes(jpeg(seed))
    return root


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def one_hot(label: str) -> list[str]:
    return ["1.0" if name == label else "0.0" for name in (*ISIC_2019.names, "UNK")]


def write_truth(path: Path, labels: Mapping[str, str]) -> None:
    """Write an ISIC 2019 ground truth table."""
    header = ["image", *ISIC_2019.names, "UNK"]
    write_csv(path, header, [[image, *one_hot(label)] for image, label in labels.items()])


def isic_2019(root: Path, per_class: int = 3) -> Path:
    """Write a collection laid out like ISIC 2019; the first two of a class are one lesion."""
    folder = root / "ISIC_2019_Training_Input"
    folder.mkdir(parents=True)
    labels, lesions = {}, []
    for kind, label in enumerate(ISIC_2019.names):
        for number in range(per_class):
            image = f"ISIC_{kind:03d}{number:04d}"
            (folder / f"{image}.jpg").write_bytes(jpeg(kind * 100 + number))
            labels[image] = label
            lesions.append((image, f"HAM_{kind}_{max(number, 1)}"))
    write_truth(root / "ISIC_2019_Training_GroundTruth.csv", labels)
    write_csv(root / "ISIC_2019_Training_Metadata.csv", ("image", "lesion_id"), lesions)
    return root


def ham10000(root: Path, per_class: int = 3) -> Path:
    """Write a collection in the layout of HAM10000, in its two image folders."""
    rows = []
    for part in (1, 2):
        (root / f"HAM10000_images_part_{part}").mkdir(parents=True)
    for kind, dx in enumerate(("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")):
        for number in range(per_class * (2 if dx == "akiec" else 1)):
            image = f"ISIC_{kind:03d}{number:04d}"
            part = root / f"HAM10000_images_part_{1 + number % 2}"
            (part / f"{image}.jpg").write_bytes(jpeg(kind * 100 + number))
            rows.append((f"HAM_{kind}_{number}", image, dx, "histo"))
    write_csv(root / "HAM10000_metadata.csv", ("lesion_id", "image_id", "dx", "dx_type"), rows)
    return root
