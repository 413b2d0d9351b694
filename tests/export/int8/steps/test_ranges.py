from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.export.int8.steps.ranges import best_range, percentile, squared_error
from pipeline.export.int8.value_range import Range, min_max, with_zero

# As many as best_range's histogram has, so that a value at a bin's centre is counted exactly.
BINS = 2048


@dataclass(frozen=True)
class Seen:
    """Stand in for the statistics of one activation."""

    low: float
    high: float
    samples: npt.NDArray[np.float32]

    @classmethod
    def of(cls, samples: npt.NDArray[np.float64]) -> Seen:
        return cls(float(samples.min()), float(samples.max()), samples.astype(np.float32))

    def error(self, span: Range) -> float:
        values = self.samples.astype(np.float64)
        return squared_error(values, np.full(len(values), 1 / len(values)), span)


@given(low=st.floats(-1e6, 1e6), high=st.floats(-1e6, 1e6))
@example(low=0.0, high=0.0)
@example(low=3.0, high=5.0)
def test_every_range_holds_zero_and_is_not_empty(low: float, high: float) -> None:
    low, high = min(low, high), max(low, high)
    wide = with_zero(low, high)
    assert wide[0] <= min(low, 0)
    assert wide[1] >= max(high, 0)
    assert wide[1] - wide[0] >= 0.9e-6
    if high - low >= 1e-6:
        assert {*wide} <= {low, high, 0.0}


def test_an_error_is_half_a_step_between_two_steps_and_the_distance_beyond_the_last() -> None:
    one = np.ones(1)
    assert squared_error(np.array([10.0]), one, (0.0, 255.0)) == 0
    assert squared_error(np.array([10.5]), one, (0.0, 255.0)) == pytest.approx(0.25)
    assert squared_error(np.array([258.0]), one, (0.0, 255.0)) == pytest.approx(9)
    assert squared_error(np.array([-2.0]), one, (0.0, 255.0)) == pytest.approx(4)
    both = squared_error(np.array([10.5, 258.0]), np.array([0.75, 0.25]), (0.0, 255.0))
    assert both == pytest.approx(0.75 * 0.25 + 0.25 * 9)


def test_percentiles_leave_one_value_in_ten_thousand_on_each_side() -> None:
    seen = Seen.of(np.arange(-10_000, 10_001) / 1.0)
    assert min_max(seen) == (-10_000, 10_000)
    assert percentile(seen) == pytest.approx((-9_998, 9_998), abs=0.01)


def test_of_values_as_frequent_at_the_ends_as_elsewhere_nothing_is_clipped() -> None:
    seen = Seen.of(np.repeat(np.arange(256.0), 100))
    assert best_range(seen) == (0, 255)
    # Of 256 steps no clipping saves more than a hair where values lie close together.
    close = Seen.of(np.random.default_rng(1).uniform(0, 1, 100_000))
    assert best_range(close) == pytest.approx(min_max(close), abs=0.002)


def test_one_outlier_is_clipped_to_where_rounding_and_clipping_cost_the_same() -> None:
    # Rounding to a range r costs (r / 255)^2 / 12 for every value; clipping one of n values at h
    # costs (h - r)^2 / n. Their sum is least at r = h / (1 + n / (12 * 255^2)).
    n, outlier = 1_000_000, 100.0
    values = np.random.default_rng(2).uniform(0, 10, n)
    values[0] = outlier
    seen = Seen.of(values)
    low, high = best_range(seen)
    assert low == 0
    assert high == pytest.approx(outlier / (1 + n / (12 * 255**2)), rel=0.1)
    assert seen.error((low, high)) < seen.error(min_max(seen)) / 2


def test_an_extreme_far_beyond_all_samples_is_left_to_the_percentiles() -> None:
    samples = np.random.default_rng(3).uniform(0, 1, 50_000).astype(np.float32)
    span = best_range(Seen(0.0, 100.0, samples))
    assert span == pytest.approx((0, 1), abs=0.001)


def test_a_tensor_that_is_always_zero_has_a_range() -> None:
    low, high = best_range(Seen.of(np.zeros(100)))
    assert low <= 0 < high


@given(
    below=st.floats(0, 1000),
    above=st.floats(0.01, 1000),
    bins=st.lists(st.integers(0, BINS - 1), min_size=1, max_size=60),
    repeats=st.integers(1, 1000),
)
def test_no_chosen_range_is_worse_than_the_extremes(
    below: float, above: float, bins: list[int], repeats: int
) -> None:
    width = (below + above) / BINS
    centres = (-below + (np.array(bins) + 0.5) * width).astype(np.float32)
    # A few values far out and one in the middle many times over: what makes clipping worthwhile.
    samples = np.concatenate([centres, np.repeat(centres[:1], repeats)])
    seen = Seen(-below, above, samples)
    span = best_range(seen)
    assert seen.error(span) <= seen.error(min_max(seen)) * (1 + 1e-6) + (1e-6 * width) ** 2
    assert span[0] <= 0 <= span[1]
