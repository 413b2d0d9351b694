"""Every mistake is described once, and does what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.choices import Mistake
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import TensorInfo
from pipeline.imaging.decode import decode_file
from pipeline.imaging.preprocess import resize_pixels
from pipeline.mistakes.feeding import right_tensor
from pipeline.mistakes.interface import Answered, AnswerMistake, Fed, Picture
from pipeline.mistakes.registry import describe, input_variants, wrong_answers, wrong_tensor

IMAGE = ImageContract(height_px=24, width_px=40, mean=110, std=60)
SHAPE = IMAGE.input_shape
FLOAT = Fed(IMAGE, TensorInfo(name="image", shape=SHAPE, dtype="float32"))
UINT8 = Fed(
    IMAGE, TensorInfo(name="image", shape=SHAPE, dtype="uint8", scale=1 / 60, zero_point=110)
)
INT8 = Fed(IMAGE, TensorInfo(name="image", shape=SHAPE, dtype="int8", scale=1 / 60, zero_point=-18))
PIXELS = np.random.default_rng(1).integers(0, 256, (90, 71, 3), dtype=np.uint8)
# As it would lie in the file.
PICTURE = Picture(PIXELS, lambda: np.ascontiguousarray(np.rot90(PIXELS)))


@pytest.mark.parametrize("name", Mistake)
def test_every_mistake_is_described_for_people(name: Mistake) -> None:
    described = describe(name)
    assert described.name is name
    assert described.variants
    assert described.title[0].islower()
    assert described.mend


@pytest.mark.parametrize("fed", [FLOAT, UINT8, INT8], ids=lambda fed: str(fed.tensor.dtype))
@pytest.mark.parametrize("name", Mistake)
def test_a_wrong_tensor_fits_the_file_and_is_wrong(name: Mistake, fed: Fed) -> None:
    pixels = resize_pixels(PIXELS, IMAGE)
    right = right_tensor(pixels, fed)
    wrong = {
        variant: wrong_tensor(name, variant, PICTURE, pixels, fed)
        for variant in input_variants(name, fed)
    }
    for tensor in wrong.values():
        assert (tensor.shape, tensor.dtype) == (right.shape, right.dtype)
    if isinstance(describe(name), AnswerMistake) or (name is Mistake.zero_point and fed is FLOAT):
        assert wrong == {}
    else:
        assert any((tensor != right).any() for tensor in wrong.values())


def test_what_equals_the_right_way_is_fed_alike() -> None:
    square = ImageContract(height_px=16, width_px=16)
    pixels = PIXELS[:64, :64]
    picture = Picture(pixels, lambda: pixels)
    resized = resize_pixels(pixels, square)
    tensor = TensorInfo(
        name="image", shape=square.input_shape, dtype="uint8", scale=1 / 127.5, zero_point=128
    )
    for fed in (
        Fed(square, tensor),
        Fed(square, tensor.model_copy(update={"dtype": "float32", "scale": None})),
    ):
        right = right_tensor(resized, fed)
        for name, variant in (
            (Mistake.mean_std_swapped, "swapped"),
            (Mistake.other_normalization, "tf"),
            (Mistake.center_crop, "the whole shorter side"),
            (Mistake.letterbox, "black"),
            (Mistake.letterbox, "black, before resizing"),
            (Mistake.exif_ignored, "as stored"),
        ):
            found = wrong_tensor(name, variant, picture, resized, fed)
            np.testing.assert_array_equal(found, right, err_msg=name)


@pytest.mark.parametrize(
    ("name", "variant", "method"),
    [
        (Mistake.nearest, "corners", "INTER_NEAREST"),
        (Mistake.nearest, "half-pixel centres", "INTER_NEAREST_EXACT"),
        (Mistake.bicubic, "a = -0.75", "INTER_CUBIC"),
    ],
)
def test_resizing_is_that_of_opencv(name: Mistake, variant: str, method: str) -> None:
    import cv2

    size = (IMAGE.width_px, IMAGE.height_px)
    resized = cv2.resize(PIXELS.astype(np.float32), size, interpolation=getattr(cv2, method))
    expected = np.clip(np.rint(resized), 0, 255).astype(np.int16)
    found = wrong_tensor(name, variant, PICTURE, resize_pixels(PIXELS, IMAGE), UINT8)
    assert np.abs(found.astype(np.int16) - expected).max() <= (1 if name is Mistake.bicubic else 0)


def test_a_flat_picture_stays_flat_however_it_is_resized() -> None:
    flat = np.full((50, 61, 3), 77, np.uint8)
    picture = Picture(flat, lambda: flat)
    for name in (Mistake.nearest, Mistake.bicubic, Mistake.antialiased, Mistake.corner_sampled):
        for variant in input_variants(name, UINT8):
            assert (wrong_tensor(name, variant, picture, flat, UINT8) == 77).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_stored_pixels_are_those_before_the_orientation(
    orientation: int, tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "photo.png"
    Image.fromarray(PIXELS).save(path, exif=exif)
    np.testing.assert_array_equal(decode_file(path, IMAGE, as_stored=True), PIXELS)
    if orientation > 1:
        upright = decode_file(path, IMAGE)
        assert upright.shape != PIXELS.shape or (upright != PIXELS).any()


def answered(candidate: np.ndarray, **output: object) -> Answered:
    right = np.random.default_rng(3).dirichlet(np.ones(5), 40).astype(np.float32)
    info = {"name": "probability", "shape": (1, 5), "dtype": "float32", **output}
    rows = right[:, candidate] if candidate.ndim == 1 else candidate
    return Answered(right, rows, TensorInfo.model_validate(info))


def test_the_order_of_the_labels_is_found() -> None:
    order = np.array([3, 0, 4, 2, 1])
    asked = answered(order)
    mistake = describe(Mistake.labels_permuted)
    assert isinstance(mistake, AnswerMistake)
    assert mistake.order is not None
    assert mistake.order(asked).tolist() == order.tolist()
    (rows,) = wrong_answers(Mistake.labels_permuted, asked).values()
    np.testing.assert_array_equal(rows, asked.candidate)


@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 0, 1, 2, 3], [1, 2, 3, 4, 0]])
def test_the_right_order_and_a_shift_are_no_permutation(order: list[int]) -> None:
    assert wrong_answers(Mistake.labels_permuted, answered(np.array(order))) == {}


def test_an_order_is_not_fitted_to_chance() -> None:
    random = np.random.default_rng(9).dirichlet(np.ones(5), 40).astype(np.float32)
    asked = answered(random)
    (rows,) = wrong_answers(Mistake.labels_permuted, asked).values()
    apart = np.abs(rows - random).mean() / np.abs(asked.right - random).mean()
    assert apart > 0.7


def test_only_a_quantized_output_can_be_read_raw() -> None:
    assert wrong_answers(Mistake.raw_output, answered(np.arange(5))) == {}
    asked = answered(np.arange(5), dtype="int8", scale=1 / 256, zero_point=-128)
    rows = wrong_answers(Mistake.raw_output, asked)
    np.testing.assert_allclose(rows["as stored"], asked.right * 256 - 128, atol=0.5)
    np.testing.assert_allclose(rows["without the zero point"], asked.right - 0.5, atol=1 / 256)
    unsigned = rows["as bytes of the other sign"]
    assert set(np.unique(unsigned - rows["as stored"])) <= {0.0, 256.0}


def test_the_page_lists_every_mistake() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "diagnose.md").read_text("utf-8")
    listed = [line.split("`")[1] for line in page.splitlines() if line.startswith("| `")]
    assert [name for name in listed if name in {*Mistake}] == [str(name) for name in Mistake]
