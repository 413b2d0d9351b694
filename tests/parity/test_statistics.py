from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.parity.statistics import mcnemar_exact, wilson_95


def test_wilson_knows_the_textbook_values() -> None:
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29.
    assert wilson_95(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_95(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_95(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson_95(1, 29) == pytest.approx((0.0061, 0.1718), abs=5e-5)


def test_mcnemar_counts_coin_flips() -> None:
    assert mcnemar_exact(0, 0) == 1.0
    assert mcnemar_exact(5, 5) == 1.0
    assert mcnemar_exact(0, 5) == 2 / 32
    assert mcnemar_exact(1, 5) == 2 * (1 + 6) / 64
    assert mcnemar_exact(13, 0) == 2 / 2**13
    assert 0 <= mcnemar_exact(3000, 1000) < 1e-100


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_a_wilson_interval_holds_its_share(case: tuple[int, int]) -> None:
    hits, total = case
    low, high = wilson_95(hits, total)
    assert 0 <= low <= hits / total <= high <= 1


@given(st.integers(0, 300), st.integers(0, 300))
def test_mcnemar_is_symmetric_and_a_probability(lost: int, gained: int) -> None:
    assert mcnemar_exact(lost, gained) == mcnemar_exact(gained, lost)
    assert 0 < mcnemar_exact(lost, gained) <= 1
