"""What the synthetic goldens show: each usual mistake of a phone changes what the model is fed."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.goldens import NEAR_LEVELS, SYNTHETIC_GOLDENS
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.export.golden_photos import GoldenPhoto, synthetic_photos, user_photos
from pipeline.export.goldens import cell_means
from pipeline.imaging.decode import Pixels, decode_bytes
from pipeline.imaging.preprocess import resize_pixels
from tests.imaging.samples import encode, noise

CONTRACTS = tuple(
    ImageContract(height_px=height, width_px=width)
    for height, width in ((32, 32), (96, 96), (160, 224), (256, 256))
)
COLOURED = {"odd-size.jpg", "turned.jpg", "mirrored.jpg", "subsampled.jpg", "small.jpg"}
FLAT = {"black.jpg", "white.jpg"}


def decode(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    return decode_bytes(photo.data, image, where=photo.file)


def right(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    return resize_pixels(decode(photo, image), image)


def as_bgr(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    return right(photo, image)[:, :, ::-1]


def not_turned(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    stored = Image.open(io.BytesIO(photo.data)).convert("RGB")
    return resize_pixels(np.asarray(stored), image)


def turned_but_not_mirrored(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    pixels = decode(photo, image)
    orientation = Image.open(io.BytesIO(photo.data)).getexif().get(0x0112, 1)
    return resize_pixels(pixels[:, ::-1] if orientation in (2, 4, 5, 7) else pixels, image)


def antialiased(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    size = (image.width_px, image.height_px)
    pixels = Image.fromarray(decode(photo, image))
    return np.asarray(pixels.resize(size, Image.Resampling.BILINEAR))


def cropped(photo: GoldenPhoto, image: ImageContract) -> Pixels:
    pixels = decode(photo, image)
    side = min(pixels.shape[:2])
    return resize_pixels(pixels[:side, :side], image)


@pytest.mark.parametrize("image", CONTRACTS, ids=lambda image: f"{image.height_px}")
@pytest.mark.parametrize(
    ("mistake", "shows_on"),
    [
        (as_bgr, COLOURED),
        (not_turned, {"turned.jpg", "mirrored.jpg"}),
        (turned_but_not_mirrored, {"mirrored.jpg"}),
        (antialiased, {*COLOURED, "gray.jpg"} - {"small.jpg"}),
        (cropped, {*COLOURED, "gray.jpg"}),
    ],
)
def test_every_mistake_changes_the_input_of_the_goldens_meant_for_it(
    image: ImageContract,
    mistake: Callable[[GoldenPhoto, ImageContract], Pixels],
    shows_on: set[str],
) -> None:
    changed, off = set(), {}
    for photo in synthetic_photos(image):
        good, bad = right(photo, image), mistake(photo, image)
        if good.tobytes() != np.ascontiguousarray(bad).tobytes():
            changed.add(photo.file)
        off[photo.file] = np.abs(good.astype(int) - bad).mean()
    assert shows_on <= changed
    assert changed.isdisjoint(FLAT)
    assert all(off[file] > 0.5 for file in shows_on), "by more than rounding"


@pytest.mark.parametrize("image", CONTRACTS, ids=lambda image: f"{image.height_px}")
@pytest.mark.parametrize("mistake", [as_bgr, not_turned, turned_but_not_mirrored, cropped])
def test_a_wrong_picture_is_not_nearly_the_same_where_a_decoder_differs(
    image: ImageContract, mistake: Callable[[GoldenPhoto, ImageContract], Pixels]
) -> None:
    apart = [
        np.abs(
            np.subtract(cell_means(right(photo, image)), cell_means(mistake(photo, image)))
        ).max()
        for photo in synthetic_photos(image)
    ]
    assert max(apart) > 10 * NEAR_LEVELS


def test_equal_contracts_give_equal_photos_and_no_two_are_alike() -> None:
    first, second = synthetic_photos(ImageContract()), synthetic_photos(ImageContract())
    assert first == second
    assert len({photo.sha256 for photo in first}) == len({photo.file for photo in first}) == 8


def test_a_bundle_without_one_of_the_photos_is_noticed() -> None:
    assert tuple(photo.file for photo in synthetic_photos(CONTRACTS[0])) == SYNTHETIC_GOLDENS


def test_the_photos_are_of_the_kinds_they_say() -> None:
    image = ImageContract()
    opened = {photo.file: Image.open(io.BytesIO(photo.data)) for photo in synthetic_photos(image)}
    assert {file: one.format for file, one in opened.items()} == dict.fromkeys(opened, "JPEG")
    assert opened["gray.jpg"].mode == "L"
    assert opened["turned.jpg"].getexif()[0x0112] == 6
    assert opened["mirrored.jpg"].getexif()[0x0112] == 7
    assert opened["odd-size.jpg"].size == (317, 211)
    assert opened["small.jpg"].size == (61, 47)
    sampling = {file: one.layer[0][1:3] for file, one in opened.items()}
    assert (sampling["odd-size.jpg"], sampling["subsampled.jpg"]) == ((1, 1), (2, 2))
    resized = {photo.file: right(photo, image) for photo in synthetic_photos(image)}
    assert not resized["black.jpg"].any()
    assert (resized["white.jpg"] == 255).all()


def test_photos_of_a_user_are_taken_byte_for_byte(tmp_path: Path) -> None:
    paths = [tmp_path / "IMG 1.JPEG", tmp_path / "b.jpg"]
    for seed, path in enumerate(paths):
        path.write_bytes(encode(Image.fromarray(noise(20, 30, seed=seed)), "JPEG"))
    photos = user_photos(paths, ImageContract())
    assert [photo.file for photo in photos] == ["user-1.jpg", "user-2.jpg"]
    assert [photo.data for photo in photos] == [path.read_bytes() for path in paths]


def test_what_cannot_be_a_golden_is_refused_by_name(tmp_path: Path) -> None:
    good = encode(Image.fromarray(noise(20, 30)), "JPEG")
    for name, content, words in (
        ("a.png", encode(Image.fromarray(noise(20, 30))), "must be a JPEG"),
        ("cut.jpg", good[: len(good) // 2], "truncated or damaged"),
        ("text.jpg", b"no picture", "not an image"),
        ("huge.jpg", good, "too large"),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        image = ImageContract(max_image_px=599 if name == "huge.jpg" else 600)
        with pytest.raises(BadInput, match=words) as caught:
            user_photos([path], image)
        assert caught.value.where == str(path)
    with pytest.raises(BadInput, match="cannot read"):
        user_photos([tmp_path / "missing.jpg"], ImageContract())
    with pytest.raises(BadInput, match="given twice"):
        user_photos([path, path], ImageContract())
