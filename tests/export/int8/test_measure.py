from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.search import Trial
from pipeline.export.int8.io_types import input_range
from pipeline.export.int8.lower import lower
from pipeline.export.int8.measure import (
    RepairSet,
    float_answers,
    labelled_figures,
    measure,
    with_blends,
)
from pipeline.progress import silent
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import Network

IMAGE = ImageContract(height_px=32, width_px=32)
# Photographs, few of them blue, and as many again that have no truth.
COUNT, LABELLED, GREENS = 100, 50, 22
TRUTH = np.array([0] * 22 + [1] * GREENS + [2] * 6 + [0, 1] * 25)
# Grey pixels that leave the float model hesitating, by more than int8 is off.
HAIR = 4


def colours() -> Model:
    """Return a model that answers which of red, green and blue is brightest."""
    network = Network((1, 32, 32, 3))
    weights = np.eye(3, dtype=np.float32).reshape(3, 1, 1, 3)
    network.conv("image", "conv", weights, np.zeros(3, np.float32))
    network.mean("conv", "mean")
    network.dense("mean", "dense", 4 * np.eye(3, dtype=np.float32), np.zeros(3, np.float32))
    network.softmax("dense", "probability")
    return network.build("probability")


def quantized(dense: float = 2.0) -> Model:
    """Return its int8 form; too small a range for `dense` clips its answers."""
    spans = {
        "image": input_range(IMAGE, Io.int8),
        "conv": (-1.0, 1.0),
        "mean": (-1.0, 1.0),
        "dense": (-dense, dense),
        "probability": (0.0, 1.0),
    }
    return lower(colours(), spans)


def repair_set(margin: int = 60) -> RepairSet:
    """Return grey images with a little more of the colour that is their truth."""
    grey = np.random.default_rng(0).integers(40, 120, (COUNT, 32, 32, 1), dtype=np.uint8)
    pixels = grey.repeat(3, axis=3)
    pixels[np.arange(COUNT), :, :, TRUTH] += np.uint8(margin)
    reference = float_answers(colours(), pixels, IMAGE, silent)
    return RepairSet(pixels, LABELLED, TRUTH[:LABELLED], reference, {"GREEN": 1})


def otherwise(images: RepairSet, rows: range, label: int) -> RepairSet:
    """Return the same images with a float model that chooses `label` for some of them."""
    reference = images.reference.copy()
    for i in rows:
        top = int(reference[i].argmax())
        reference[i, [top, label]] = reference[i, [label, top]]
    return replace(images, reference=reference)


def trial(model: Model, images: RepairSet) -> Trial:
    return measure(
        model,
        images,
        IMAGE,
        Io.int8,
        steps=(Step.ranges,),
        float16_layers=("dense",),
        size_bytes=7,
        report=silent,
    )


@given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=9), seed=st.integers(0, 2**32 - 1))
def test_every_image_is_blended_once_with_one_of_another_label(
    labels: list[int], seed: int
) -> None:
    truth, count = np.array(labels), len(labels)
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 2, 2, 3), dtype=np.uint8)
    mixed = with_blends(pixels, truth)
    assert mixed.dtype == np.uint8
    assert mixed.shape == (2 * count, 2, 2, 3)
    assert (mixed[:count] == pixels).all()
    for i, blend in enumerate(mixed[count:]):
        halves = [(pixels[i].astype(int) + other) // 2 for other in pixels]
        partners = [j for j, half in enumerate(halves) if (half == blend).all()]
        assert partners
        if len(set(labels)) > 1:
            assert any(labels[j] != labels[i] for j in partners)
        elif count > 1:
            assert any(j != i for j in partners)


def test_a_blend_of_bright_images_does_not_wrap_around() -> None:
    pixels = np.array([200, 101], np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
    assert with_blends(pixels, np.array([0, 1]))[2:].reshape(-1).tolist() == [150] * 6


def test_the_reference_is_what_the_float_model_answers_in_the_images_order() -> None:
    images = repair_set()
    means = ((images.pixels.astype(np.float64) - 127.5) / 127.5).mean(axis=(1, 2))
    powers = np.exp(4 * means)
    wanted = powers / powers.sum(axis=1, keepdims=True)
    assert images.reference == pytest.approx(wanted, abs=1e-5)
    assert (images.reference.argmax(axis=1) == TRUTH).all()


def test_a_faithful_file_meets_the_target_with_the_figures_it_was_given() -> None:
    found = trial(quantized(), repair_set())
    assert found.meets_target
    assert (found.agreement, found.balanced_accuracy) == (1, 1)
    assert found.critical_recall == {"GREEN": 1}
    assert 0 < found.mean_difference < 0.02
    assert found.latency_ms_p50 is None
    assert (found.steps, found.float16_layers, found.size_bytes) == ((Step.ranges,), ("dense",), 7)


def test_the_difference_is_the_mean_of_each_image_s_largest() -> None:
    images = repair_set()
    moved = images.reference.copy()
    moved[:, 0] += np.linspace(0.1, 0.3, COUNT)
    moved[:, 1] += 0.05
    before = trial(quantized(), images).mean_difference
    after = trial(quantized(), replace(images, reference=moved)).mean_difference
    assert after == pytest.approx(0.2, abs=before)


def test_a_file_that_answers_the_same_classes_less_surely_does_not_meet_it() -> None:
    found = trial(quantized(dense=0.3), repair_set())
    assert found.agreement == 1
    assert found.mean_difference > 0.02
    assert not found.meets_target


@pytest.mark.parametrize(("count", "passed"), [(3, True), (4, False)])
def test_fewer_than_97_of_100_agreements_do_not_meet_it(count: int, passed: bool) -> None:
    images = otherwise(repair_set(HAIR), range(count), 1)
    found = trial(quantized(), replace(images, labelled=0, truth=TRUTH[:0]))
    assert found.agreement == pytest.approx(1 - count / COUNT)
    assert found.mean_difference < 0.02
    assert found.balanced_accuracy is None
    assert found.meets_target is passed


@pytest.mark.parametrize(
    ("lost", "critical", "passed"),
    [(1, {"GREEN": 1}, True), (2, {"GREEN": 1}, False), (2, {}, True)],
    ids=["one image", "two images", "not critical"],
)
def test_a_critical_class_may_lose_one_image_and_no_more(
    lost: int, critical: dict[str, int], passed: bool
) -> None:
    # Images that the float model rightly calls green and the int8 file still calls red.
    images = otherwise(repair_set(HAIR), range(lost), 1)
    truth = TRUTH[:LABELLED].copy()
    truth[:lost] = 1
    found = trial(quantized(), replace(images, truth=truth, critical=critical))
    assert found.agreement >= 0.97
    assert found.critical_recall == pytest.approx(dict.fromkeys(critical, GREENS / (GREENS + lost)))
    assert found.meets_target is passed


@pytest.mark.parametrize(("lost", "passed"), [(1, True), (2, False)])
def test_the_rarest_class_may_lose_one_image_and_no_more(lost: int, passed: bool) -> None:
    # Beside six blue ones, images that only the float model rightly calls blue.
    images = otherwise(repair_set(HAIR), range(lost), 2)
    truth = TRUTH[:LABELLED].copy()
    truth[:lost] = 2
    found = trial(quantized(), replace(images, truth=truth, critical={}))
    assert found.agreement >= 0.97
    assert found.balanced_accuracy == pytest.approx(1 - lost / (6 + lost) / 3)
    assert found.meets_target is passed


def test_figures_are_of_the_labelled_images_only() -> None:
    answers = np.eye(3, dtype=np.float32)[[0, 1, 1, 2, 0]]
    images = RepairSet(
        pixels=np.zeros((5, 1, 1, 3), np.uint8),
        labelled=4,
        truth=np.array([0, 1, 0, 2]),
        reference=answers,
        critical={"RED": 0, "GREEN": 1},
    )
    balanced, recall = labelled_figures(answers, images)
    assert balanced == pytest.approx((0.5 + 1 + 1) / 3)
    assert recall == {"RED": 0.5, "GREEN": 1}
    assert labelled_figures(answers, replace(images, labelled=0)) == (None, {})


def test_a_critical_class_without_images_has_no_recall() -> None:
    truth: npt.NDArray[np.int64] = np.array([0, 0])
    answers = np.eye(3, dtype=np.float32)[[0, 1]]
    images = RepairSet(np.zeros((2, 1, 1, 3), np.uint8), 2, truth, answers, {"BLUE": 2})
    assert labelled_figures(answers, images)[1] == {}
