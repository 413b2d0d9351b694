"""Decode image files to 8-bit RGB pixels, or refuse them with a reason."""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from pipeline.contract.files import MAX_IMAGE_BYTES, read_regular
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, reason_of

Pixels = npt.NDArray[np.uint8]

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF")
_OPAQUE = frozenset({"1", "L", "P", "RGB", "CMYK", "YCbCr"})
_WITH_ALPHA = frozenset({"LA", "PA", "RGBA", "La", "RGBa"})


def decode_bytes(
    data: bytes, contract: ImageContract, *, where: str, as_stored: bool = False
) -> Pixels:
    """Decode an encoded image to RGB.

    Args:
        data: the bytes of a JPEG, PNG, WebP, BMP or TIFF file.
        contract: gives the largest accepted number of pixels.
        where: the name used in errors.
        as_stored: leave the EXIF orientation out, which is a mistake that runtimes make.

    Returns:
        uint8 array of shape (height, width, 3), 0 to 255, EXIF orientation applied. Alpha is
        composited over white with integers: (c * a + 255 * (255 - a) + 127) // 255. 16-bit
        samples keep their high byte.

    Raises:
        BadInput: empty, not an image, truncated, too large, or an unsupported kind of pixel.
    """
    if not data:
        raise BadInput("the image file is empty", where=where)
    try:
        # Pillow only warns between one and two times its own limit; ours is the contract's.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as image:
                width, height = image.size
                if width * height > contract.max_image_px:
                    raise _bomb(f"{width}x{height}", contract, where)
                image.load()
                oriented = image if as_stored else ImageOps.exif_transpose(image)
                return _to_rgb(oriented, where)
    except BadInput:
        raise
    except Image.DecompressionBombError as error:
        raise _bomb(str(error), contract, where) from error
    except UnidentifiedImageError as error:
        raise BadInput(
            "not an image the pipeline reads",
            where=where,
            expected="JPEG, PNG, WebP, BMP or TIFF content",
            got=_describe(data),
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError) as error:
        raise BadInput(
            "the image is truncated or damaged", where=where, got=reason_of(error)
        ) from error


def decode_file(
    path: Path, contract: ImageContract, sha256: str | None = None, *, as_stored: bool = False
) -> Pixels:
    """Decode an image file; see `decode_bytes`. With a hash it must be the file it was made of.

    Raises:
        BadInput: the file cannot be read, changed since the dataset was prepared, or its content
            is refused.
    """
    try:
        data = read_regular(path, max_bytes=MAX_IMAGE_BYTES)
    except FileNotFoundError as error:
        if sha256 is None:
            raise BadInput("there is no such image file", where=str(path)) from error
        raise BadInput(
            "an image of the dataset is no longer there",
            where=str(path),
            next_step="put it back, or run `pipeline data prepare` again where the images are now",
        ) from error
    except OSError as error:
        raise BadInput(
            "cannot read the image file", where=str(path), got=reason_of(error)
        ) from error
    if sha256 is not None and (found := sha256_bytes(data)) != sha256:
        raise BadInput(
            "the image changed since the dataset was prepared",
            where=str(path),
            expected=f"sha256 {sha256}",
            got=f"sha256 {found}",
            next_step="run `pipeline data prepare` again",
        )
    return decode_bytes(data, contract, where=str(path), as_stored=as_stored)


def _bomb(got: str, contract: ImageContract, where: str) -> BadInput:
    return BadInput(
        "the image is too large to decode safely (decompression bomb)",
        where=where,
        expected=f"at most {contract.max_image_px} pixels",
        got=got,
    )


def _to_rgb(image: Image.Image, where: str) -> Pixels:
    if image.mode.startswith("I;16"):
        high = (np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)
        return np.repeat(high[:, :, None], 3, axis=2)
    if image.mode in _WITH_ALPHA or (
        image.mode in _OPAQUE and image.info.get("transparency") is not None
    ):
        rgba = np.asarray(image.convert("RGBA"), dtype=np.uint16)
        color, alpha = rgba[:, :, :3], rgba[:, :, 3:]
        return ((color * alpha + 255 * (255 - alpha) + 127) // 255).astype(np.uint8)
    if image.mode in _OPAQUE:
        return np.asarray(image.convert("RGB"), dtype=np.uint8)
    raise BadInput(
        "the image has a kind of pixel the pipeline does not read",
        where=where,
        expected="8-bit gray, palette, RGB, RGBA, CMYK, or 16-bit gray",
        got=f"Pillow mode {image.mode}",
    )


def _describe(data: bytes) -> str:
    head = data[:16]
    if head.isascii() and head.decode("ascii").isprintable():
        return f"{len(data)} bytes of text, beginning {head.decode('ascii')!r}"
    return f"{len(data)} bytes, beginning {head[:8].hex()}"
