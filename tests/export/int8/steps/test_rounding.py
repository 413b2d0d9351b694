from __future__ import annotations

from itertools import product

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.export.int8.steps.rounding import round_channels, round_rows

Float64 = npt.NDArray[np.float64]

SEEDS = st.integers(0, 2**32 - 1)
ALIKE = np.ones((2, 2))


def drawn(seed: int, rows: int, columns: int, inputs: int) -> tuple[Float64, Float64]:
    """Return weights in steps and a covariance of `inputs` independent sources."""
    random = np.random.default_rng(seed)
    mixed = random.normal(size=(columns, inputs))
    return random.uniform(-127, 127, (rows, columns)), mixed @ mixed.T


def output_error(weights: Float64, rounded: Float64, covariance: Float64) -> float:
    """Return the expected squared output error of rows that share their inputs, summed."""
    errors = rounded - weights
    return float(np.einsum("ri,ij,rj->", errors, covariance, errors))


def slack(covariance: Float64) -> float:
    """Return what the damping of one row may cost."""
    return 1e-6 * float(np.trace(covariance)) + 1e-9


def test_of_two_inputs_that_are_the_same_one_weight_is_rounded_up() -> None:
    # Together they are 0.8: 1 and 0 leave an error of 0.2, the nearest 0 and 0 one of 0.8.
    weights = np.array([[0.4, 0.4]])
    for rounded in (round_channels(weights, ALIKE[None]), round_rows(weights, ALIKE)):
        assert sorted(rounded[0]) == [0, 1]
        assert output_error(weights, rounded, ALIKE) == pytest.approx(0.2**2)
    assert output_error(weights, np.rint(weights), ALIKE) == pytest.approx(0.8**2)


def test_of_two_inputs_that_are_opposite_the_errors_may_be_equal() -> None:
    weights, opposite = np.array([[0.4, 0.6]]), np.array([[1.0, -1.0], [-1.0, 1.0]])
    for rounded in (round_channels(weights, opposite[None]), round_rows(weights, opposite)):
        assert rounded[0, 0] == rounded[0, 1]


@given(seed=SEEDS)
def test_independent_inputs_round_to_the_nearest(seed: int) -> None:
    weights, _ = drawn(seed, 3, 4, 1)
    apart = np.diag([1.0, 2.0, 0.5, 1.0])
    assert (round_rows(weights, apart) == np.rint(weights)).all()
    assert (round_channels(weights, np.stack([apart] * 3)) == np.rint(weights)).all()


def test_inputs_that_never_vary_round_to_the_nearest() -> None:
    weights, _ = drawn(5, 3, 4, 1)
    still = np.zeros((4, 4))
    assert (round_rows(weights, still) == np.rint(weights)).all()
    assert (round_channels(weights, np.stack([still] * 3)) == np.rint(weights)).all()


@given(seed=SEEDS, taps=st.integers(2, 4), inputs=st.integers(1, 4))
def test_a_channel_of_few_taps_is_rounded_to_the_best_of_all_choices(
    seed: int, taps: int, inputs: int
) -> None:
    weights, covariance = drawn(seed, 1, taps, inputs)
    floor = np.floor(weights)
    best = min(
        output_error(weights, floor + np.array(choice), covariance)
        for choice in product((0, 1), repeat=taps)
    )
    rounded = round_channels(weights, covariance[None])
    assert output_error(weights, rounded, covariance) <= best + slack(covariance)


def test_each_channel_is_rounded_with_its_own_covariance() -> None:
    # More channels than are done at once.
    alike = np.arange(150) % 7 == 0
    covariance = np.where(alike[:, None, None], ALIKE, np.eye(2))
    rounded = round_channels(np.tile([[0.4, 0.4]], (150, 1)), covariance)
    assert (rounded.sum(axis=1) == alike).all()


@given(seed=SEEDS, rows=st.integers(1, 5), columns=st.integers(1, 24), inputs=st.integers(1, 24))
def test_rows_are_never_rounded_worse_than_to_the_nearest(
    seed: int, rows: int, columns: int, inputs: int
) -> None:
    weights, covariance = drawn(seed, rows, columns, inputs)
    rounded = round_rows(weights, covariance)
    nearest = output_error(weights, np.rint(weights), covariance)
    assert output_error(weights, rounded, covariance) <= nearest + rows * slack(covariance)
    assert (rounded == np.rint(rounded)).all()
    assert (np.abs(rounded - weights) <= 1).all()


def test_correlated_rows_are_rounded_far_better_than_to_the_nearest() -> None:
    weights, covariance = drawn(7, 8, 32, 4)
    rounded = round_rows(weights, covariance)
    nearest = output_error(weights, np.rint(weights), covariance)
    assert output_error(weights, rounded, covariance) < nearest / 5


def test_a_channel_of_many_taps_is_rounded_as_a_row_of_its_own() -> None:
    weights, _ = drawn(8, 3, 25, 1)
    covariance = np.stack([drawn(seed, 1, 25, 5)[1] for seed in range(3)])
    rounded = round_channels(weights, covariance)
    for row, one, got in zip(weights, covariance, rounded, strict=True):
        assert (got == round_rows(row[None], one)[0]).all()


@given(seed=SEEDS, taps=st.integers(2, 6), edge=st.sampled_from([-127.0, 127.0]))
def test_weights_at_the_edge_never_leave_the_range(seed: int, taps: int, edge: float) -> None:
    _, covariance = drawn(seed, 1, taps, 1)
    inside = np.nextafter(edge, 0)
    choice = np.random.default_rng(seed).integers(0, 3, taps)
    weights = np.array([edge, inside, np.sign(edge) * 126.5])[choice][None]
    for rounded in (round_channels(weights, covariance[None]), round_rows(weights, covariance)):
        assert np.abs(rounded).max() <= 127


def test_a_weight_at_the_edge_stays_where_one_more_step_would_be_best() -> None:
    # The two errors would cancel at 128.
    weights = np.array([[127.0, 0.49, 0.49]])
    alike = np.ones((3, 3))
    for rounded in (round_channels(weights, alike[None]), round_rows(weights, alike)):
        assert rounded[0, 0] == 127
        assert rounded[0].sum() == 128


def test_a_whole_weight_stays_where_it_is() -> None:
    ones = np.ones((3, 3))
    assert round_rows(np.array([[3.0, 0.45, 0.45]]), ones).tolist()[0][0] == 3
    assert round_channels(np.array([[3.0, 0.45, 0.45]]), ones[None]).tolist()[0][0] == 3
