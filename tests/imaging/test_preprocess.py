"""Resizing and normalizing, against a slow implementation of the same words."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from pipeline.imaging.decode import decode_bytes
from pipeline.imaging.preprocess import (
    input_tensor,
    load_resized_pixels,
    normalize,
    resize_bilinear,
    resize_pixels,
)
from tests.imaging.samples import encode, noise

F = np.float32


def slow_resize(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize a value at a time, in float32, as the contract's words say."""

    def taps(target: int, size_in: int, size_out: int) -> tuple[int, int, np.float32]:
        source = F(F(F(target) + F(0.5)) * F(F(size_in) / F(size_out))) - F(0.5)
        low = math.floor(source)
        share = F(source - F(low))
        return min(max(low, 0), size_in - 1), min(max(low + 1, 0), size_in - 1), share

    out = np.empty((height, width, pixels.shape[2]), np.float32)
    for y in range(height):
        top, bottom, down = taps(y, pixels.shape[0], height)
        for x in range(width):
            left, right, across = taps(x, pixels.shape[1], width)
            for c in range(pixels.shape[2]):
                a, b = F(pixels[top, left, c]), F(pixels[top, right, c])
                d, e = F(pixels[bottom, left, c]), F(pixels[bottom, right, c])
                upper = F(a + F(F(b - a) * across))
                lower = F(d + F(F(e - d) * across))
                out[y, x, c] = F(upper + F(F(lower - upper) * down))
    return out


sizes = st.integers(1, 24)


@settings(max_examples=60, deadline=None)
@given(sizes, sizes, sizes, sizes, st.integers(0, 2**16))
def test_resize_equals_the_slow_implementation(
    height_in: int, width_in: int, height_out: int, width_out: int, seed: int
) -> None:
    pixels = noise(height_in, width_in, seed=seed)
    fast = resize_bilinear(pixels, height_out, width_out)
    assert fast.dtype == np.float32
    assert np.array_equal(fast, slow_resize(pixels, height_out, width_out))


def resize_at_once(pixels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Resize whole arrays by the contract's formula, gathering each of the four neighbours."""

    def taps(size_out: int, size_in: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        source = (np.arange(size_out, dtype=F) + F(0.5)) * (F(size_in) / F(size_out)) - F(0.5)
        floor = np.floor(source)
        upper = np.clip(np.ceil(source).astype(int), 0, size_in - 1)
        return np.maximum(floor.astype(int), 0), upper, source - floor

    top, bottom, down = taps(height, pixels.shape[0])
    left, right, across = taps(width, pixels.shape[1])
    floats = pixels.astype(F)

    def row(at: np.ndarray) -> np.ndarray:
        first, second = floats[at][:, left], floats[at][:, right]
        return first + (second - first) * across[None, :, None]

    upper, lower = row(top), row(bottom)
    return upper + (lower - upper) * down[:, None, None]


wide = st.integers(1, 700)


@settings(max_examples=40, deadline=None)
@given(wide, wide, st.sampled_from([1, 3, 4]), st.integers(1, 300), st.integers(1, 300))
def test_resize_equals_the_formula_at_the_sizes_of_photographs(
    height_in: int, width_in: int, channels: int, height_out: int, width_out: int
) -> None:
    random = np.random.default_rng([height_in, width_in, height_out, width_out])
    pixels = random.integers(0, 256, (height_in, width_in, channels), np.uint8)
    wanted = resize_at_once(pixels, height_out, width_out)
    # Views of any layout, and the second time the plan of these sizes is known already.
    for seen in (pixels, np.asfortranarray(pixels), pixels[::-1][::-1]):
        assert np.array_equal(resize_bilinear(seen, height_out, width_out), wanted)


@settings(max_examples=30, deadline=None)
@given(sizes, sizes, st.integers(0, 2**16))
def test_resize_to_the_same_size_changes_nothing(height: int, width: int, seed: int) -> None:
    pixels = noise(height, width, seed=seed)
    assert np.array_equal(resize_bilinear(pixels, height, width), pixels)


@settings(max_examples=30, deadline=None)
@given(sizes, sizes, sizes, sizes, st.integers(0, 2**16))
def test_resize_commutes_with_transposing_and_stays_in_range(
    height_in: int, width_in: int, height_out: int, width_out: int, seed: int
) -> None:
    pixels = noise(height_in, width_in, seed=seed)
    straight = resize_bilinear(pixels, height_out, width_out)
    turned = resize_bilinear(pixels.transpose(1, 0, 2), width_out, height_out)
    np.testing.assert_allclose(turned.transpose(1, 0, 2), straight, atol=1e-3)
    assert straight.min() >= pixels.min() - 1e-3
    assert straight.max() <= pixels.max() + 1e-3


def test_resize_takes_no_average_when_it_shrinks() -> None:
    # A third of the size reads every third pixel; antialiasing would blend its neighbours.
    pixels = noise(9, 9)
    assert np.array_equal(resize_bilinear(pixels, 3, 3), pixels[1::3, 1::3])


@pytest.mark.parametrize("first", [0, 1])
def test_resized_pixels_are_rounded_half_to_even(first: int) -> None:
    contract = ImageContract(height_px=32, width_px=32)
    columns = np.arange(first, first + 64, dtype=np.uint8)
    pixels = np.broadcast_to(columns[None, :, None], (64, 64, 3))
    # half the size reads the middle of two columns: 0.5, 2.5, ... or 1.5, 3.5, ...
    resized = resize_pixels(pixels, contract)
    assert resized[0, :, 0].tolist() == [k + 2 * first for k in range(0, 64, 2)]


@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (300, 1), (255, 257), (6000, 8000)])
def test_any_size_becomes_the_contract_size(shape: tuple[int, int]) -> None:
    contract = ImageContract()
    resized = resize_pixels(np.full((*shape, 3), 77, np.uint8), contract)
    assert resized.shape == (256, 256, 3)
    assert resized.dtype == np.uint8
    assert np.all(resized == 77)


def test_normalizing_spans_minus_one_to_one() -> None:
    contract = ImageContract()
    inputs = normalize(np.array([0, 127, 128, 255], np.uint8), contract)
    assert inputs.dtype == np.float32
    assert inputs.tolist() == [-1.0, F(-0.5) / F(127.5), F(0.5) / F(127.5), 1.0]
    assert (float(inputs.min()), float(inputs.max())) == contract.float_range


def test_normalizing_follows_the_contract() -> None:
    contract = ImageContract(mean=0.0, std=255.0)
    assert normalize(np.array([0, 255], np.uint8), contract).tolist() == [0.0, 1.0]


def test_a_tensor_is_what_its_type_says() -> None:
    contract = ImageContract()
    resized = noise(4, 5)
    whole = input_tensor(resized, contract, dtype="uint8", scale=1 / 127.5, zero_point=128)
    assert np.array_equal(whole, resized)
    floats = input_tensor(resized, contract, dtype="float32", scale=None, zero_point=None)
    assert floats.dtype == np.float32
    assert np.array_equal(floats, normalize(resized, contract))


def test_an_int8_tensor_is_quantized_in_float32_half_to_even_and_clipped() -> None:
    contract = ImageContract(mean=0.0, std=1.0)
    resized = np.array([0, 1, 2, 3, 5, 255], np.uint8)
    stored = input_tensor(resized, contract, dtype="int8", scale=2.0, zero_point=-3)
    assert stored.dtype == np.int8
    assert stored.tolist() == [-3, -3, -2, -1, -1, 125]
    low = input_tensor(resized, contract, dtype="int8", scale=1.0, zero_point=-128)
    assert low.tolist() == [-128, -127, -126, -125, -123, 127]
    high = input_tensor(resized, contract, dtype="int8", scale=0.5, zero_point=100)
    assert high.tolist() == [100, 102, 104, 106, 110, 127]


def test_an_int8_tensor_is_not_quantized_in_double_precision() -> None:
    every, scale = np.arange(256, dtype=np.uint8), float(F(2 / 255))
    stored = input_tensor(every, ImageContract(), dtype="int8", scale=scale, zero_point=0)
    slow = [round(float(F(F(F(level) - F(127.5)) / F(127.5)) / F(scale))) for level in range(256)]
    assert stored.tolist() == np.clip(slow, -128, 127).tolist()
    double = np.rint((every - 127.5) / 127.5 / scale).clip(-128, 127)
    assert (stored != double).sum() == 64, "every level lies between two steps"


@pytest.mark.parametrize(
    ("dtype", "scale", "zero_point"),
    [("int16", 1.0, 0), ("int8", None, None), ("int8", 0.0, 0), ("int8", 1.0, None)],
)
def test_an_input_that_cannot_be_fed_is_refused(
    dtype: str, scale: float | None, zero_point: int | None
) -> None:
    with pytest.raises(BadInput, match="cannot be fed") as caught:
        input_tensor(noise(2, 2), ImageContract(), dtype=dtype, scale=scale, zero_point=zero_point)
    assert dtype in str(caught.value.got)


def test_a_file_and_its_bytes_give_the_same_pixels(tmp_path: Path) -> None:
    contract = ImageContract(height_px=64, width_px=96)
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(Image.fromarray(noise(50, 31)), "JPEG", exif=exif)
    path = tmp_path / "x.jpg"
    path.write_bytes(data)
    resized = load_resized_pixels(path, contract)
    assert resized.shape == (64, 96, 3)
    assert np.array_equal(resized, resize_pixels(decode_bytes(data, contract, where="x"), contract))


def test_bad_bytes_are_refused_under_the_given_name() -> None:
    with pytest.raises(BadInput, match="camera roll"):
        decode_bytes(b"x", ImageContract(), where="camera roll")


@given(height=st.integers(1, 50), width=st.integers(1, 50))
def test_resized_pixels_lie_in_memory_as_native_runtimes_read_them(height: int, width: int) -> None:
    pixels = np.zeros((height, width, 3), np.uint8)
    assert resize_pixels(pixels, ImageContract(height_px=32, width_px=64)).flags.c_contiguous
