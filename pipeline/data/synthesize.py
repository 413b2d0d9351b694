"""Generate the default dataset: pictures of eight invented lesion classes."""

from __future__ import annotations

import csv
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_file
from pipeline.contract.labels import ISIC_2019
from pipeline.contract.run import publish_dir, staging_dir
from pipeline.data.layouts.folder import GROUPS_CSV
from pipeline.data.lesions import draw_lesion
from pipeline.data.threads import image_threads
from pipeline.errors import BadInput
from pipeline.progress import ProgressEvent, Report, silent

MARK = "SYNTHETIC"
_RECORD = "synthetic.json"
_NOTICE = "SYNTHETIC drawing made by a program. No person, no lesion, no diagnosis."
_VIEWS = 2
# Every so many pictures one is stored turned, with the EXIF orientation that turns it back.
_TURNED_EVERY = 23
_EXIF_DESCRIPTION, _EXIF_ORIENTATION = 0x010E, 0x0112
_TURNS = ((6, Image.Transpose.ROTATE_90), (8, Image.Transpose.ROTATE_270))


class SyntheticRecord(Frozen):
    """Say how a synthetic folder was made and pin its files, so that a rerun can trust it."""

    schema_version: Literal[1] = 1
    kind: Literal["synthetic"] = "synthetic"
    notice: str = _NOTICE
    generator: int = 1
    versions: dict[str, str]
    per_class: int = Field(ge=4)
    size_px: int = Field(ge=32, le=2048)
    seed: int = Field(ge=0)
    files: dict[str, str]


def synthesize(
    out: Path,
    *,
    per_class: int = 160,
    size_px: int = 128,
    seed: int = 0,
    report: Report = silent,
) -> Path:
    """Draw the eight ISIC 2019 classes as JPEGs, a folder per class, and publish them whole.

    Two pictures show one lesion; `groups.csv` says which. Widths and heights vary from 0.85 to
    1.2 times `size_px`. The mark SYNTHETIC is in every picture, its EXIF data and its comment.
    The same arguments and library versions give the same bytes. A folder that already holds
    them, unchanged, is kept.

    Args:
        out: the folder to make; an earlier synthetic folder there is replaced.
        per_class: pictures a class, at least 4.
        size_px: about how large, 32 to 2048.
        seed: decides the lesions.
        report: gets the progress.

    Returns:
        `out`.

    Raises:
        BadInput: an argument is out of range, or `out` holds something else.
    """
    if not (per_class >= 4 and 32 <= size_px <= 2048 and seed >= 0):
        raise BadInput(
            "cannot draw this",
            expected="at least 4 pictures a class, 32 to 2048 pixels, a seed of at least 0",
            got=f"{per_class} pictures, {size_px} pixels, seed {seed}",
        )
    wanted = SyntheticRecord(
        versions={name: version(name) for name in ("numpy", "pillow")},
        per_class=per_class,
        size_px=size_px,
        seed=seed,
        files={},
    )
    if _is_up_to_date(out, wanted):
        report(ProgressEvent("draw images", 1, 1, "already there"))
        return out
    with staging_dir(out) as staging:
        jobs = [(label, number) for label in ISIC_2019.names for number in range(per_class)]
        for label in ISIC_2019.names:
            (staging / label).mkdir()

        def draw(job: tuple[str, int]) -> str:
            name = f"{job[0]}/{_stem(job[1])}.jpg"
            _draw(staging / name, *job, size_px=size_px, seed=seed)
            return name

        with image_threads() as pool:
            for done, _ in enumerate(pool.map(draw, jobs), start=1):
                report(ProgressEvent("draw images", done, len(jobs)))
        with (staging / GROUPS_CSV).open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(("image", "group"))
            for label, number in jobs:
                group = f"{label}-lesion-{number // _VIEWS:04d}"
                table.writerow((f"{label}/{_stem(number)}.jpg", group))
        wanted.model_copy(update={"files": _hashes(staging)}).save(staging / _RECORD)
        publish_dir(staging, out)
    return out


def _draw(path: Path, label: str, number: int, *, size_px: int, seed: int) -> None:
    kind, lesion, view = ISIC_2019.index(label), number // _VIEWS, number % _VIEWS
    lesion_rng = np.random.default_rng([seed, kind, lesion])
    view_rng = np.random.default_rng([seed, kind, lesion, 1 + view])
    height_px, width_px = (round(size_px * share) for share in view_rng.uniform(0.85, 1.2, 2))
    pixels = draw_lesion(label, lesion_rng, view_rng, height_px, width_px)
    image = Image.fromarray(np.rint(pixels).astype(np.uint8))
    _mark(image)
    exif = Image.Exif()
    exif[_EXIF_DESCRIPTION] = _NOTICE
    if number % _TURNED_EVERY == 1:
        orientation, turn = _TURNS[(number // _TURNED_EVERY) % len(_TURNS)]
        image = image.transpose(turn)
        exif[_EXIF_ORIENTATION] = orientation
    image.save(path, "JPEG", quality=92, exif=exif, comment=_NOTICE.encode("ascii"))


def _mark(image: Image.Image) -> None:
    font = ImageFont.load_default(size=max(7, image.height // 16))
    left, _, _, bottom = ImageDraw.Draw(image).textbbox((0, 0), MARK, font=font)
    place = (2 - left, image.height - bottom - 2)
    ImageDraw.Draw(image).text(place, MARK, fill=(90, 90, 90), font=font)


def _stem(number: int) -> str:
    return f"synthetic_{number:05d}"


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != _RECORD)
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in files}


def _is_up_to_date(out: Path, wanted: SyntheticRecord) -> bool:
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return False
    if not (out / _RECORD).is_file():
        raise BadInput(
            "this place holds something else, which would be replaced",
            where=str(out),
            expected="no folder, an empty one, or synthetic images drawn before",
            next_step="choose another folder",
        )
    found = SyntheticRecord.load(out / _RECORD)
    same = found.model_copy(update={"files": {}}) == wanted
    return same and found.files == _hashes(out)
