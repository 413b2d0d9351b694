from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq, minimize_scalar

from pipeline.parity.paired import (
    PairedShares,
    balanced_accuracy_95,
    balanced_difference_95,
    score_interval_95,
)
from pipeline.parity.statistics import mcnemar_exact

Z = 1.959964


def counts(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


@pytest.mark.parametrize(
    ("table", "interval"),
    [
        # Fagerland, Lydersen & Laake 2014, Statistics in Medicine 33(16), and their R package
        # contingencytables: Bentur et al. 2009 and Cavo et al. 2012.
        ((21, 7, 1), (-0.517, -0.026)),
        ((161, 16, 6), (-0.1240, -0.0054)),
        # Where nothing differs the bound is Wilson's of no event: z^2 / (n + z^2).
        ((100, 0, 0), (-0.0370, 0.0370)),
    ],
)
def test_the_score_interval_has_the_published_values(
    table: tuple[int, int, int], interval: tuple[float, float]
) -> None:
    assert PairedShares(*table).interval_95() == pytest.approx(interval, abs=5e-4)


def slow_statistic(shares: PairedShares, difference: float) -> float:
    """Maximize the trinomial likelihood under `difference` numerically, then standardize."""
    lost, gained, n = shares.only_reference_right, shares.only_candidate_right, shares.images

    def unlikely(p_lost: float) -> float:
        p_gained = p_lost + difference
        rest = max(1 - p_lost - p_gained, 1e-300)
        return -(
            lost * np.log(max(p_lost, 1e-300))
            + gained * np.log(max(p_gained, 1e-300))
            + (n - lost - gained) * np.log(rest)
        )

    bounds = (max(0.0, -difference), (1 - difference) / 2)
    best = minimize_scalar(unlikely, bounds=bounds, method="bounded", options={"xatol": 1e-12}).x
    variance = (2 * best + difference - difference**2) / n
    return float((shares.difference - difference) / np.sqrt(variance))


@pytest.mark.parametrize("table", [(21, 7, 1), (378, 12, 4), (60, 1, 0), (300, 0, 5), (50, 9, 9)])
def test_the_bounds_are_where_a_slow_score_test_stops_rejecting(
    table: tuple[int, int, int],
) -> None:
    shares = PairedShares(*table)
    low, high = shares.interval_95()
    near, far = 1e-9, 1 - 1e-6
    expected = (
        brentq(lambda d: slow_statistic(shares, d) - Z, -far, shares.difference - near),
        brentq(lambda d: slow_statistic(shares, d) + Z, shares.difference + near, far),
    )
    assert (low, high) == pytest.approx(expected, abs=1e-4)


tables = st.integers(1, 2000).flatmap(
    lambda n: st.integers(0, n).flatmap(
        lambda lost: st.tuples(st.just(n), st.just(lost), st.integers(0, n - lost))
    )
)


@given(tables)
def test_a_score_interval_holds_its_difference_and_mirrors_when_the_sides_are_swapped(
    table: tuple[int, int, int],
) -> None:
    n, lost, gained = table
    low, high = PairedShares(n, lost, gained).interval_95()
    assert -1 <= low <= (gained - lost) / n <= high <= 1
    assert PairedShares(n, gained, lost).interval_95() == (-high, -low)


@given(st.lists(st.booleans(), min_size=1, max_size=200))
def test_identical_answers_do_not_differ(right: list[bool]) -> None:
    flags = np.array(right)
    shares = PairedShares.of(flags, flags.copy())
    assert shares.difference == 0.0
    assert shares.mcnemar_exact_p() == 1.0
    low, high = shares.interval_95()
    assert low < 0 < high


def test_pairs_are_counted_by_who_alone_is_right() -> None:
    reference = np.array([True, True, True, False, False])
    candidate = np.array([True, False, False, True, False])
    shares = PairedShares.of(reference, candidate)
    assert shares == PairedShares(5, 2, 1)
    assert shares.difference == -0.2
    assert shares.mcnemar_exact_p() == mcnemar_exact(2, 1)
    with pytest.raises(ValueError, match="no pairs"):
        PairedShares.of(reference, candidate[:3])
    with pytest.raises(ValueError, match="no pairs"):
        PairedShares.of(reference[:0], candidate[:0])


@pytest.mark.parametrize("table", [(0, 0, 0), (5, 3, 3), (5, -1, 0), (5, 0, -1)])
def test_impossible_counts_are_refused(table: tuple[int, int, int]) -> None:
    images, lost, gained = table
    with pytest.raises(ValueError, match="images"):
        PairedShares(images, lost, gained)
    with pytest.raises(ValueError, match="no counts"):
        balanced_difference_95(counts(9, images), counts(0, lost), counts(0, gained))
    with pytest.raises(ValueError, match="no counts"):
        balanced_difference_95(counts(), counts(), counts())
    with pytest.raises(ValueError, match="no counts"):
        balanced_accuracy_95(counts(5), counts(6))


def test_many_tables_are_bounded_at_once_as_one_by_one() -> None:
    lost, gained, images = counts(0, 3, 40), counts(0, 1, 9), counts(20, 378, 400)
    low, high = score_interval_95(lost, gained, images)
    for k in range(3):
        one = PairedShares(int(images[k]), int(lost[k]), int(gained[k]))
        assert one.interval_95() == (low[k], high[k])


classes = st.lists(
    st.integers(1, 60).flatmap(
        lambda n: st.integers(0, n).flatmap(
            lambda lost: st.tuples(st.just(n), st.just(lost), st.integers(0, n - lost))
        )
    ),
    min_size=1,
    max_size=9,
)


@settings(deadline=None, max_examples=50)
@given(classes)
def test_the_bootstrap_interval_holds_its_difference_and_mirrors(
    table: list[tuple[int, int, int]],
) -> None:
    images, lost, gained = np.array(table, np.int64).T
    observed = float(((gained - lost) / images).mean())
    low, high = balanced_difference_95(images, lost, gained, resamples=2000)
    assert -1 <= low <= observed <= high <= 1
    assert (low, high) == balanced_difference_95(images, lost, gained, resamples=2000)
    mirrored = balanced_difference_95(images, gained, lost, resamples=2000)
    assert mirrored == pytest.approx((-high, -low), abs=1e-12)


def test_the_bootstrap_of_one_large_class_is_the_score_interval() -> None:
    interval = balanced_difference_95(counts(5000), counts(150), counts(100))
    assert interval == pytest.approx(PairedShares(5000, 150, 100).interval_95(), abs=5e-4)


def test_classes_that_lost_nothing_may_still_lose_something() -> None:
    images = counts(20, 200, 200)
    low, high = balanced_difference_95(images, counts(0, 0, 0), counts(0, 0, 0))
    assert low < -0.03
    assert high > 0.03


def test_balanced_accuracy_is_bounded_class_by_class() -> None:
    low, high = balanced_accuracy_95(counts(400, 100), counts(360, 70))
    # The mean of 0.9 and 0.7; its standard error from the two binomial ones.
    error = np.sqrt(0.9 * 0.1 / 400 + 0.7 * 0.3 / 100) / 2
    assert (low, high) == pytest.approx((0.8 - 1.96 * error, 0.8 + 1.96 * error), abs=6e-3)
    assert balanced_accuracy_95(counts(30), counts(30))[1] == 1.0
