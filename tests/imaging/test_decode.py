"""Decoding: every kind of picture becomes RGB, and what is none is refused with a reason."""

from __future__ import annotations

import struct
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.imaging.decode import Pixels, decode_bytes, decode_file
from tests.imaging.samples import encode, noise

CONTRACT = ImageContract()


def decode(data: bytes, contract: ImageContract = CONTRACT) -> Pixels:
    return decode_bytes(data, contract, where="test")


def refusal(data: bytes, contract: ImageContract = CONTRACT) -> str:
    with pytest.raises(BadInput) as caught:
        decode(data, contract)
    assert caught.value.where == "test"
    return str(caught.value)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF"])
def test_lossless_rgb_comes_back_exactly(kind: str) -> None:
    pixels = noise(7, 5)
    decoded = decode(encode(Image.fromarray(pixels), kind))
    assert decoded.dtype == np.uint8
    assert np.array_equal(decoded, pixels)


def test_lossless_webp_comes_back_exactly() -> None:
    pixels = noise(7, 5)
    assert np.array_equal(decode(encode(Image.fromarray(pixels), "WEBP", lossless=True)), pixels)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (33, 17)])
def test_jpegs_of_odd_sizes_keep_their_shape(size: tuple[int, int]) -> None:
    assert decode(encode(Image.new("RGB", size, (200, 100, 50)), "JPEG")).shape == (
        size[1],
        size[0],
        3,
    )


# What each EXIF orientation says must be done to the stored pixels (TIFF 6.0, tag 274).
ORIENTATIONS = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda a: np.rot90(a, 1),
}


@pytest.mark.parametrize("orientation", sorted(ORIENTATIONS))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_every_exif_orientation_is_applied(orientation: int, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(noise(12, 7))
    plain = decode(encode(stored, kind))
    turned = decode(encode(stored, kind, exif=exif))
    assert np.array_equal(turned, ORIENTATIONS[orientation](plain))


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_an_orientation_out_of_range_changes_nothing(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(noise(4, 6))
    assert np.array_equal(decode(encode(image, exif=exif)), decode(encode(image)))


def test_gray_is_repeated_in_three_channels() -> None:
    gray = noise(5, 6)[:, :, 0]
    decoded = decode(encode(Image.fromarray(gray)))
    assert np.array_equal(decoded, np.repeat(gray[:, :, None], 3, axis=2))


def test_one_bit_becomes_black_and_white() -> None:
    image = Image.fromarray(np.array([[0, 255], [255, 0]], np.uint8)).convert("1")
    assert decode(encode(image))[:, :, 0].tolist() == [[0, 255], [255, 0]]


def test_a_cmyk_jpeg_becomes_rgb() -> None:
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    decoded = decode(encode(ink, "JPEG", quality=95))
    assert decoded.shape == (16, 16, 3)
    assert np.abs(decoded.astype(int) - [255, 0, 0]).max() <= 3


def test_alpha_is_laid_over_white_with_whole_numbers() -> None:
    rgba = noise(9, 11, 4)
    decoded = decode(encode(Image.fromarray(rgba)))
    for y in range(9):
        for x in range(11):
            *color, alpha = (int(value) for value in rgba[y, x])
            expected = [(c * alpha + 255 * (255 - alpha) + 127) // 255 for c in color]
            assert decoded[y, x].tolist() == expected


def test_clear_is_white_and_opaque_is_unchanged() -> None:
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert decode(encode(Image.fromarray(rgba))).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_gray_with_alpha_is_laid_over_white() -> None:
    image = Image.merge("LA", (Image.new("L", (1, 1), 100), Image.new("L", (1, 1), 128)))
    value = (100 * 128 + 255 * 127 + 127) // 255
    assert decode(encode(image)).tolist() == [[[value] * 3]]


def palette_image() -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([250, 10, 20, 30, 240, 50])
    image.putdata([0, 1])
    return image


def test_a_palette_is_looked_up() -> None:
    assert decode(encode(palette_image())).tolist() == [[[250, 10, 20], [30, 240, 50]]]


def test_a_clear_palette_entry_is_white() -> None:
    decoded = decode(encode(palette_image(), transparency=0))
    assert decoded.tolist() == [[[255, 255, 255], [30, 240, 50]]]


def test_half_clear_palette_entries_are_laid_over_white() -> None:
    decoded = decode(encode(palette_image(), transparency=bytes([128, 255])))
    expected = [(c * 128 + 255 * 127 + 127) // 255 for c in (250, 10, 20)]
    assert decoded.tolist() == [[expected, [30, 240, 50]]]


def test_a_clear_color_of_an_rgb_png_is_white() -> None:
    image = Image.fromarray(np.array([[[1, 2, 3], [4, 5, 6]]], np.uint8))
    decoded = decode(encode(image, transparency=(1, 2, 3)))
    assert decoded.tolist() == [[[255, 255, 255], [4, 5, 6]]]


def test_sixteen_bit_gray_keeps_its_high_byte() -> None:
    values = np.array([[0, 255, 256, 40_000, 65_535]], np.uint16)
    decoded = decode(encode(Image.fromarray(values)))
    assert decoded[0, :, 0].tolist() == [0, 0, 1, 156, 255]
    assert np.array_equal(decoded[:, :, 0], decoded[:, :, 2])


def test_floating_point_pixels_are_refused() -> None:
    image = Image.fromarray(np.zeros((2, 2), np.float32))
    assert "Pillow mode F" in refusal(encode(image, "TIFF"))


def test_a_large_photograph_is_decoded_without_a_warning() -> None:
    data = encode(Image.new("L", (8000, 6000), 77), "JPEG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(data).shape == (6000, 8000, 3)


def bomb_header(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that claims to be huge."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 99)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("size", [(10_001, 10_000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        message = refusal(bomb_header(*size))
    assert "decompression bomb" in message
    assert "at most 100000000 pixels" in message


def test_the_limit_itself_is_accepted() -> None:
    limit = ImageContract(max_image_px=12)
    assert decode(encode(Image.new("RGB", (4, 3))), limit).shape == (3, 4, 3)
    assert "4x4" in refusal(encode(Image.new("RGB", (4, 4))), limit)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
@pytest.mark.parametrize("kept", [0.25, 0.5, 0.9])
def test_a_truncated_image_is_refused(kind: str, kept: float) -> None:
    data = encode(Image.fromarray(noise(64, 64)), kind)
    with pytest.raises(BadInput):
        decode(data[: int(len(data) * kept)])


def test_a_png_with_a_damaged_byte_is_refused() -> None:
    data = bytearray(encode(Image.fromarray(noise(64, 64))))
    data[len(data) // 2] ^= 0xFF
    assert "truncated or damaged" in refusal(bytes(data))


def test_text_is_refused_and_quoted() -> None:
    message = refusal(b"hello, this is a letter")
    assert "not an image the pipeline reads" in message
    assert "'hello, this is a'" in message


def test_other_bytes_are_refused_in_hex() -> None:
    assert "beginning 000102" in refusal(bytes(range(64)))


def test_an_empty_file_is_refused() -> None:
    assert "empty" in refusal(b"")


def test_a_gif_is_refused() -> None:
    assert "not an image the pipeline reads" in refusal(encode(Image.new("P", (3, 3)), "GIF"))


def test_a_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"gone\.jpg"):
        decode_file(tmp_path / "gone.jpg", CONTRACT)


def test_a_folder_named_like_an_image_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.jpg").mkdir()
    with pytest.raises(BadInput, match="cannot read"):
        decode_file(tmp_path / "x.jpg", CONTRACT)


def test_a_file_is_decoded_like_its_bytes(tmp_path: Path) -> None:
    data = encode(Image.fromarray(noise(8, 8)), "JPEG")
    (tmp_path / "x.jpg").write_bytes(data)
    assert np.array_equal(decode_file(tmp_path / "x.jpg", CONTRACT), decode(data))
