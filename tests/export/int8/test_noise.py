"""The noise floor of networks whose answer to noise is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.image import ImageContract
from pipeline.export.int8.measure import float_answers
from pipeline.export.int8.noise import level_of, noise_floor, noisy
from pipeline.progress import silent
from pipeline.tflite.flatbuffer import Model
from tests.export.int8.graphs import Network

# Inputs are pixels over 100, so that one pixel value is a hundredth.
IMAGE = ImageContract(height_px=32, width_px=32, mean=0.0, std=100.0)
COUNT = 2000


def linear(weights: list[list[float]]) -> Model:
    """Return a model of one pixel whose answers are `weights` times red, green and blue."""
    network = Network((1, 1, 1, 3))
    rows = np.array(weights, np.float32).reshape(-1, 1, 1, 3)
    network.conv("image", "conv", rows, np.zeros(len(rows), np.float32))
    network.mean("conv", "probability")
    return network.build("probability")


def pixels(*colours: int, count: int = COUNT) -> np.ndarray:
    return np.tile(np.array(colours, np.uint8), (count, 1, 1, 1))


def test_a_linear_network_moves_by_the_noise_it_is_given() -> None:
    # Only red counts: |noise| is even between 0 and the level, its mean half of it.
    floor = noise_floor(
        linear([[1, 0, 0], [0, 0, 0]]), pixels(128, 0, 0), IMAGE, {}, seed=3, report=silent
    )
    assert (floor.images, floor.seed) == (COUNT, 3)
    assert [level.pixel_steps for level in floor.levels] == [0.5, 1.0]
    for level in floor.levels:
        # Of the mean of 2000 draws that are even between 0 and 1 the deviation is 0.0065.
        assert level.mean_difference * 100 == pytest.approx(level.pixel_steps / 2, abs=0.02)
        assert level.agreement == 1


def test_two_answers_one_value_apart_change_places_as_often_as_geometry_says() -> None:
    # Red is one value above green. With noise even within +-1 in both, what it adds to their
    # difference is triangular on +-2 and falls below -1 with a chance of (2 - 1)^2 / 8.
    model = linear([[1, 0, 0], [0, 1, 0]])
    even = noise_floor(model, pixels(128, 127, 0), IMAGE, {"R": 0}, seed=0, report=silent)
    assert even.largest.agreement == pytest.approx(1 - 1 / 8, abs=0.025)
    # At half a value neither reaches the other: their difference stays within one.
    assert even.smallest.agreement == 1
    assert even.largest.flips["R"].out_of == round((1 - even.largest.agreement) * COUNT)
    assert even.largest.flips["R"].into == 0


def test_each_image_has_noise_of_its_own_that_its_place_and_the_seed_decide() -> None:
    one = pixels(128, 128, 128, count=1)[0]
    first = noisy(one, 1.0, [0, 0], IMAGE)
    assert np.array_equal(first, noisy(one, 1.0, [0, 0], IMAGE))
    assert not np.array_equal(first, noisy(one, 1.0, [0, 1], IMAGE))
    assert not np.array_equal(first, noisy(one, 1.0, [1, 0], IMAGE))
    # Half the level goes half as far in the same direction.
    half = noisy(one, 0.5, [0, 0], IMAGE)
    assert (half - 1.28) * 2 == pytest.approx(first - 1.28, abs=1e-5)
    assert noisy(one, 0.0, [0, 0], IMAGE) == pytest.approx(1.28, abs=1e-6)


def test_noise_stays_within_what_a_pixel_can_be() -> None:
    image = np.array([0, 255] * 500, np.uint8).reshape(-1, 1)
    moved = noisy(image, 1.0, [0], IMAGE) * 100
    assert moved.min() >= 0
    assert moved.max() <= 255.0001


def test_known_answers_are_not_asked_for_again() -> None:
    model, few = linear([[1, 0, 0], [0, 1, 0]]), pixels(128, 127, 0, count=40)
    reference = float_answers(model, few, IMAGE, silent)
    known = noise_floor(model, few, IMAGE, {}, seed=0, report=silent, reference=reference)
    assert known == noise_floor(model, few, IMAGE, {}, seed=0, report=silent)


def test_flips_are_counted_into_and_out_of_each_critical_class() -> None:
    before = np.eye(3, dtype=np.float32)[[0, 0, 1, 2, 2]]
    after = np.eye(3, dtype=np.float32)[[0, 1, 0, 0, 2]]
    found = level_of(1.0, before, after, {"A": 0, "C": 2})
    assert found.agreement == pytest.approx(2 / 5)
    assert found.mean_difference == pytest.approx(3 / 5)
    assert {name: (one.into, one.out_of) for name, one in found.flips.items()} == {
        "A": (2, 1),
        "C": (0, 1),
    }
