"""Verdicts by an interval are wrong as often as claimed, and say how many images would decide."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.error_rates import accuracy_passes, drawn, newcombe_95, recall_passes, strict
from pipeline.contract.verdict import Outcome
from pipeline.parity.judge import judge_recordings
from pipeline.parity.non_inferiority import (
    balanced_evidence,
    images_for_share,
    images_if_equal,
    outcome_of_interval,
    paired_evidence,
)
from pipeline.parity.paired import PairedShares, balanced_difference_95, score_interval_95
from pipeline.parity.thresholds import Thresholds
from tests.parity.recordings import pair
from tests.parity.test_judge import check_of

ALPHA = 0.025
DRAWS = 20_000
# Three standard errors of a rate of 2.5%, and what the approximation itself may exceed it by.
CLAIMED = ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / DRAWS) + 0.002


@pytest.mark.parametrize(
    ("interval", "outcome"),
    [
        ((-0.01, 0.02), Outcome.passed),
        ((-0.0101, 0.02), Outcome.inconclusive),
        ((-0.05, -0.01), Outcome.inconclusive),
        ((-0.05, -0.0101), Outcome.failed),
    ],
)
def test_a_bound_on_the_limit_is_within_it(interval: tuple[float, float], outcome: Outcome) -> None:
    assert outcome_of_interval(interval, -0.01) is outcome


@pytest.mark.parametrize("images", [100, 378, 2000])
@pytest.mark.parametrize("more", [0.0, 0.01, 0.05])
@pytest.mark.parametrize("margin", [0.01, 0.05])
def test_a_candidate_at_the_margin_rarely_passes(images: int, more: float, margin: float) -> None:
    random = np.random.default_rng(images)
    passed, _ = strict(*drawn(random, images, margin, margin + more, DRAWS), images, margin)
    assert passed.mean() <= CLAIMED


@pytest.mark.parametrize("images", [50, 378, 2000])
@pytest.mark.parametrize("discordant", [0.01, 0.05, 0.2])
def test_an_equal_candidate_rarely_fails_and_the_interval_covers(
    images: int, discordant: float
) -> None:
    random = np.random.default_rng(images)
    lost, gained = drawn(random, images, 0.0, discordant, DRAWS)
    _, failed = strict(lost, gained, images, 0.01)
    assert failed.mean() <= CLAIMED
    tables, which = np.unique(np.stack([lost, gained]), axis=1, return_inverse=True)
    low, high = (bound[which] for bound in score_interval_95(*tables, np.array(images)))
    assert ((low <= 0) & (high >= 0)).mean() >= 1 - 2 * CLAIMED


@pytest.mark.parametrize("drops", [(0.06, 0.0, 0.0), (0.02, 0.02, 0.02)])
@pytest.mark.parametrize("more", [0.0, 0.04])
def test_a_balanced_accuracy_at_the_margin_rarely_passes(
    drops: tuple[float, ...], more: float
) -> None:
    random, sizes, draws = np.random.default_rng(5), np.array([30, 100, 200]), 600
    columns = [
        drawn(random, int(n), drop, drop + more, draws)
        for n, drop in zip(sizes, drops, strict=True)
    ]
    lost, gained = (np.stack(side, axis=1) for side in zip(*columns, strict=True))
    bounds = np.array(
        [
            balanced_difference_95(sizes, k, g, resamples=400)
            for k, g in zip(lost, gained, strict=True)
        ]
    )
    error = 3 * np.sqrt(ALPHA * (1 - ALPHA) / draws)
    assert (bounds[:, 0] >= -0.02 - 1e-12).mean() <= ALPHA + error
    covers = (bounds[:, 0] <= -0.02 + 1e-12) & (bounds[:, 1] >= -0.02 - 1e-12)
    assert covers.mean() >= 0.95 - 3 * np.sqrt(0.05 * 0.95 / draws)


def test_several_classes_pass_wrongly_no_more_often_than_one() -> None:
    random, passed = np.random.default_rng(6), []
    for drop in (0.05, 0.0, 0.0):
        passed.append(strict(*drawn(random, 400, drop, 0.06, DRAWS), 400, 0.05)[0])
    assert np.all(passed, axis=0).mean() <= CLAIMED


@pytest.mark.parametrize(("discordant", "margin"), [(0.005, 0.01), (0.05, 0.01), (0.1, 0.05)])
def test_the_number_of_images_passes_an_equal_candidate_four_times_in_five(
    discordant: float, margin: float
) -> None:
    images = images_if_equal(discordant, margin)
    assert images is not None
    random = np.random.default_rng(7)
    for count, low, high in ((images, 0.78, 0.86), (images // 2, 0.0, 0.7)):
        passed, _ = strict(*drawn(random, count, 0.0, discordant, DRAWS), count, margin)
        assert low <= passed.mean() <= high


def test_no_number_of_images_shows_a_loss_of_nothing() -> None:
    assert images_if_equal(0.05, 0.0) is None
    rule = evidence(paired_evidence(PairedShares(200, 2, 0), 0.01), "non_inferiority")
    assert rule["images_if_as_observed"] is None
    assert images_for_share(0.95, 0.95) is None


def test_the_number_for_a_share_has_the_textbook_value() -> None:
    # (1.95996 sqrt(0.95 0.05) + 0.84162 sqrt(0.97 0.03))^2 / 0.02^2 = 814.3.
    assert images_for_share(0.97, 0.95) == 815


def evidence(data: dict[str, Any], key: str) -> dict[str, Any]:
    return dict(data[key])


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 3000), st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.01, 0.05]))
def test_an_undecided_interval_asks_for_more_images_than_there_are(
    images: int, lost: int, gained: int, margin: float
) -> None:
    images = max(images, lost + gained)
    found = paired_evidence(PairedShares(images, lost, gained), margin)
    rule = evidence(found, "non_inferiority")
    assert rule["margin"] == margin
    if rule["outcome"] == "inconclusive" and rule["images_if_as_observed"] is not None:
        assert rule["images_if_as_observed"] > images


def test_a_balanced_difference_records_what_it_was_made_of() -> None:
    images, lost, gained = np.array([[40, 3, 0], [300, 5, 5]]).T
    found = balanced_evidence(images, lost, gained, 0.02)
    difference = evidence(found, "difference")
    assert difference["value"] == pytest.approx(-3 / 80)
    assert difference["interval_95"] == [*balanced_difference_95(images, lost, gained, seed=0)]
    assert evidence(found, "non_inferiority")["outcome"] == "inconclusive"


@pytest.mark.parametrize("strictly", [False, True])
def test_the_simulated_rules_are_those_of_the_gate(strictly: bool) -> None:
    random, images, margin = np.random.default_rng(8), 400, 0.02
    lost, gained = drawn(random, images, 0.01, 0.04, 12)
    thresholds = Thresholds(
        accuracy_tolerance=margin, critical_recall_tolerance=margin, strict=strictly
    )
    passed, failed = strict(lost, gained, images, margin)
    simulated = {
        "accuracy_difference": accuracy_passes(lost, gained, images, margin),
        "critical_recall_drop:MEL": recall_passes(lost, gained, images, margin),
    }
    truth = [0] * images
    for row in range(len(lost)):
        b, c = int(lost[row]), int(gained[row])
        reference = [1] * c + [0] * (images - c)
        candidate = [0] * c + [1] * b + [0] * (images - b - c)
        verdict = judge_recordings(
            *pair(truth, reference, candidate), thresholds, critical=("MEL",)
        )
        for name, expected in simulated.items():
            outcome = check_of(verdict, name).outcome
            if not strictly:
                assert (outcome is Outcome.passed) == bool(expected[row])
            elif outcome is not Outcome.failed or name != "accuracy_difference":
                assert (outcome is Outcome.passed) == bool(passed[row])
                assert (outcome is Outcome.failed) == bool(failed[row])


@pytest.mark.parametrize(
    ("table", "interval"),
    [
        # Both, only the first, only the second, neither. Fagerland, Lydersen & Laake 2014,
        # Statistics in Medicine 33(16), and their R package contingencytables.
        ((1, 1, 7, 12), (-0.507, -0.026)),
        ((59, 6, 16, 80), (-0.1186, -0.0046)),
    ],
)
def test_method_10_has_the_published_values(
    table: tuple[int, int, int, int], interval: tuple[float, float]
) -> None:
    both, first, second, _ = (np.array([count]) for count in table)
    low, high = newcombe_95(both, second, first, sum(table))
    assert (low[0], high[0]) == pytest.approx(interval, abs=5e-4)
