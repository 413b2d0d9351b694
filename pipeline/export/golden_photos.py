"""Draw the synthetic golden photos, and take a user's own byte for byte."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from pipeline.contract.files import MAX_IMAGE_BYTES, read_regular
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, reason_of
from pipeline.imaging.decode import Pixels, decode_bytes

_SEED = 20_190
_EXIF_ORIENTATION = 0x0112
_JPEG_MAGIC = b"\xff\xd8\xff"
# Sizes are given for a model input of this side and follow the model's, so that each golden
# shrinks or grows there as it does here.
_DRAWN_FOR_PX = 256


@dataclass(frozen=True)
class GoldenPhoto:
    """Hold one JPEG: its file name, a sentence about it, and its bytes."""

    file: str
    about: str
    data: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        """Return the SHA-256 of the file."""
        return sha256_bytes(self.data)


def synthetic_photos(image: ImageContract) -> tuple[GoldenPhoto, ...]:
    """Draw photos on which every usual mistake of a phone shows; equal contracts, equal bytes.

    Swapped channels, a forgotten EXIF orientation and a resize with antialiasing each change
    what the model is fed for several of them. Black and white come out of any JPEG decoder the
    same, so at least they decode exactly.
    """
    full: dict[str, Any] = {"quality": 88, "subsampling": "4:4:4"}
    half: dict[str, Any] = {"quality": 75, "subsampling": "4:2:0"}
    return (
        GoldenPhoto(
            "odd-size.jpg",
            "Odd width and height, full colour resolution.",
            _jpeg(_lesion(*_size(image, 211, 317), 0), **full),
        ),
        GoldenPhoto(
            "turned.jpg",
            "Stored lying on its side: EXIF orientation 6.",
            _jpeg(_lesion(*_size(image, 227, 341), 1), orientation=6, **full),
        ),
        GoldenPhoto(
            "mirrored.jpg",
            "Stored turned and mirrored: EXIF orientation 7.",
            _jpeg(_lesion(*_size(image, 283, 389), 2), orientation=7, **full),
        ),
        GoldenPhoto(
            "gray.jpg",
            "One grey channel with fine texture, which an antialiased resize would blur.",
            _jpeg(_texture(*_size(image, 401, 443)), quality=85),
        ),
        GoldenPhoto(
            "subsampled.jpg",
            "Half the colour resolution (4:2:0), as cameras store it.",
            _jpeg(_patches(*_size(image, 301, 403)), **half),
        ),
        GoldenPhoto(
            "small.jpg",
            "Smaller than the model's input.",
            _jpeg(_lesion(*_size(image, 47, 61), 3), **full),
        ),
        GoldenPhoto("black.jpg", "All black.", _jpeg(_flat(*_size(image, 61, 83), 0), **half)),
        GoldenPhoto("white.jpg", "All white.", _jpeg(_flat(*_size(image, 61, 83), 255), **half)),
    )


def user_photos(paths: Iterable[Path], image: ImageContract) -> tuple[GoldenPhoto, ...]:
    """Take JPEG files as they are, named `user-1.jpg` and so on.

    Raises:
        BadInput: a file cannot be read, is no JPEG the image contract accepts, or repeats.
    """
    photos: list[GoldenPhoto] = []
    taken: dict[str, Path] = {}
    for number, path in enumerate(paths, start=1):
        try:
            data = read_regular(path, max_bytes=MAX_IMAGE_BYTES)
        except OSError as error:
            raise BadInput(
                "cannot read the golden photo", where=str(path), got=reason_of(error)
            ) from error
        decode_bytes(data, image, where=str(path))
        if not data.startswith(_JPEG_MAGIC):
            raise BadInput(
                "a golden photo must be a JPEG",
                where=str(path),
                got=f"a file that begins with {data[:4].hex()}",
                next_step="save it as JPEG",
            )
        photo = GoldenPhoto(f"user-{number}.jpg", "A photo of yours, byte for byte.", data)
        if photo.sha256 in taken:
            raise BadInput(
                "a golden photo is given twice",
                where=str(path),
                got=f"the same bytes as {taken[photo.sha256]}",
            )
        taken[photo.sha256] = path
        photos.append(photo)
    return tuple(photos)


def _size(image: ImageContract, height: int, width: int) -> tuple[int, int]:
    return (
        height * image.height_px // _DRAWN_FOR_PX | 1,
        width * image.width_px // _DRAWN_FOR_PX | 1,
    )


def _jpeg(pixels: Pixels, *, orientation: int | None = None, **options: Any) -> bytes:
    exif = Image.Exif()
    if orientation is not None:
        exif[_EXIF_ORIENTATION] = orientation
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", exif=exif, **options)
    return stream.getvalue()


def _lesion(height: int, width: int, number: int) -> Pixels:
    """Draw a dark, uneven spot off the centre of grained skin, uint8 (height, width, 3)."""
    random = np.random.default_rng(_SEED + number)
    y, x = np.mgrid[0:height, 0:width]
    across, down = (x + 0.5) / width, (y + 0.5) / height
    skin = np.array([222.0, 170.0, 148.0]) - 46.0 * (0.6 * across + 0.4 * down)[:, :, None]
    spot = np.array([118.0, 62.0, 44.0]) + 36.0 * np.sin(19.0 * across - 11.0 * down)[:, :, None]
    away = np.hypot((across - 0.36) / 0.24, (down - 0.61) / 0.29)
    angle = np.arctan2(down - 0.61, across - 0.36)
    inside = away < 1.0 + 0.18 * np.sin(5.0 * angle) + 0.09 * np.sin(11.0 * angle)
    grain = random.integers(-12, 13, (height, width, 3))
    return _levels(np.where(inside[:, :, None], spot, skin) + grain)


def _texture(height: int, width: int) -> Pixels:
    """Draw a grey ramp under strong grain, uint8 (height, width)."""
    random = np.random.default_rng(_SEED + 4)
    ramp = np.linspace(70.0, 185.0, width)[None, :] + np.linspace(-30.0, 30.0, height)[:, None]
    return _levels(ramp + random.integers(-60, 61, (height, width)))


def _patches(height: int, width: int) -> Pixels:
    """Draw patches of strong colours with edges between them, uint8 (height, width, 3)."""
    random = np.random.default_rng(_SEED + 5)
    side = max(2, width // 24)
    rows, columns = height // side + 1, width // side + 1
    coarse = random.integers(20, 236, (rows, columns, 3))
    patches = coarse.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    return _levels(patches + random.integers(-18, 19, (height, width, 3)))


def _flat(height: int, width: int, level: int) -> Pixels:
    return np.full((height, width, 3), level, np.uint8)


def _levels(values: npt.NDArray[Any]) -> Pixels:
    levels: Pixels = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return levels
