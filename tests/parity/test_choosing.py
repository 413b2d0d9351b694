"""Choose thresholds and unsure bands whose right values are known."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given

from pipeline.contract.chosen import ChosenDecision, DecisionAsked
from pipeline.contract.decision import Decision
from pipeline.errors import BadInput
from pipeline.parity.choosing import choose, risk_coverage, with_file

LABELS = ("MEL", "NV")


def answers(of_mel: list[float]) -> npt.NDArray[np.float32]:
    return np.array([[p, 1 - p] for p in of_mel], np.float32)


def chosen(truth: list[int], of_mel: list[float], **asked: object) -> ChosenDecision:
    return choose(np.array(truth), answers(of_mel), LABELS, DecisionAsked.model_validate(asked))


def test_the_threshold_is_the_highest_that_reaches_the_sensitivity() -> None:
    found = chosen(
        [0] * 5 + [1] * 5,
        [0.9, 0.8, 0.7, 0.4, 0.1, 0.75, 0.3, 0.2, 0.15, 0.05],
        sensitivity={"MEL": 0.6},
    )
    (one,) = found.thresholds
    assert one.threshold == pytest.approx(0.7, abs=1e-5)
    assert (one.reached.sensitivity.hits, one.reached.sensitivity.images) == (3, 5)
    assert one.reached.specificity is not None
    assert (one.reached.specificity.hits, one.reached.specificity.images) == (4, 5)
    # Of five images nothing is promised.
    assert not one.is_promised
    assert found.applied_to(Decision()).thresholds == {"MEL": one.threshold}


def test_many_images_promise_a_sensitivity() -> None:
    scores = np.linspace(0.2, 0.9, 400).tolist()
    (one,) = chosen([0] * 400, scores, sensitivity={"MEL": 0.9}).thresholds
    assert one.is_promised
    assert one.reached.specificity is None


@given(
    truth=st.lists(st.integers(-1, 1), min_size=1, max_size=40).filter(lambda t: 0 in t),
    seed=st.integers(0, 2**31),
    asked=st.floats(0.01, 0.99),
)
def test_no_higher_threshold_reaches_it_and_the_app_reads_the_same(
    truth: list[int], seed: int, asked: float
) -> None:
    scores = (np.random.default_rng(seed).integers(1, 100, len(truth)) / 100).tolist()
    found = chosen(truth, scores, sensitivity={"MEL": asked})
    (one,) = found.thresholds
    rows = answers(scores)
    decision = found.applied_to(Decision())
    named = [
        "MEL" in decision.read(dict(zip(LABELS, map(float, row), strict=True))).over_threshold
        for row in rows
    ]
    positives = [n for n, t in zip(named, truth, strict=True) if t == 0]
    assert sum(positives) == one.reached.sensitivity.hits >= asked * len(positives) - 1e-6
    mine = rows[np.array(truth) == 0, 0]
    assert (mine > one.threshold + 1e-5).sum() < asked * len(positives)


def test_the_band_leaves_the_most_answers_at_the_risk() -> None:
    # Confidences 0.95 to 0.55, the fourth and the ninth wrong.
    confidence = [0.95, 0.9, 0.85, 0.8, 0.75, 0.7, 0.65, 0.6, 0.55, 0.51]
    truth = [0, 0, 0, 1, 0, 0, 0, 0, 1, 1]
    band = chosen(truth, confidence, unsure_risk=0.15).band
    assert band is not None
    assert band.unsure_below == pytest.approx(0.6, abs=1e-5)
    assert (band.reached.coverage.hits, band.reached.coverage.images) == (8, 10)
    assert band.reached.risk is not None
    assert (band.reached.risk.hits, band.reached.risk.images) == (1, 8)
    by_share = chosen(truth, confidence, unsure_coverage=0.75).band
    assert by_share is not None
    assert by_share.unsure_below == band.unsure_below
    both = chosen(truth, confidence, unsure_risk=0.15, unsure_coverage=0.8).band
    assert both == band
    with pytest.raises(BadInput, match="no unsure band") as caught:
        chosen(truth, confidence, unsure_risk=0.15, unsure_coverage=0.9)
    assert "0.222 at best" in str(caught.value.got)


def test_where_every_answer_keeps_the_risk_none_is_unsure() -> None:
    found = chosen([0, 0, 1], [0.9, 0.8, 0.3], unsure_risk=0.1)
    assert found.band is not None
    assert found.band.unsure_below is None
    assert found.applied_to(Decision()).unsure_below is None


def test_equal_confidences_are_answered_together() -> None:
    found = chosen([0, 1, 0, 0], [0.9, 0.6, 0.6, 0.6], unsure_coverage=0.5)
    assert found.band is not None
    assert found.band.unsure_below is None
    assert found.band.reached.coverage.hits == 4


@given(
    truth=st.lists(st.integers(0, 1), min_size=1, max_size=40),
    seed=st.integers(0, 2**31),
    risk=st.floats(0.05, 0.6),
)
def test_the_app_is_unsure_of_what_the_band_leaves_out(
    truth: list[int], seed: int, risk: float
) -> None:
    scores = (np.random.default_rng(seed).integers(1, 100, len(truth)) / 100).tolist()
    try:
        found = chosen(truth, scores, unsure_risk=risk)
    except BadInput:
        return
    assert found.band is not None
    decision = found.applied_to(Decision())
    read = [
        decision.read(dict(zip(LABELS, map(float, row), strict=True))) for row in answers(scores)
    ]
    given_ = [(r, t) for r, t in zip(read, truth, strict=True) if not r.unsure]
    wrong = sum(r.label != LABELS[t] for r, t in given_)
    assert len(given_) == found.band.reached.coverage.hits
    assert found.band.reached.risk is not None
    assert wrong == found.band.reached.risk.hits <= risk * len(given_) + 1e-6


@pytest.mark.parametrize(
    ("truth", "asked", "said"),
    [
        ([1, 1], {"sensitivity": {"MEL": 0.5}}, "no labelled validation image is of MEL"),
        ([-1, -1], {"sensitivity": {"MEL": 0.5}}, "validation images with labels"),
        ([-1, -1], {"unsure_risk": 0.5}, "validation images with labels"),
        ([1, 1], {"unsure_risk": 0.1}, "no unsure band"),
    ],
)
def test_what_cannot_be_chosen_is_refused(
    truth: list[int], asked: dict[str, object], said: str
) -> None:
    with pytest.raises(BadInput, match=said):
        chosen(truth, [0.9, 0.8], **asked)


def test_a_class_that_is_never_probable_has_no_threshold() -> None:
    with pytest.raises(BadInput, match="no threshold reaches"):
        chosen([0, 1], [0.0, 0.0], sensitivity={"MEL": 0.5})


def test_what_is_stated_is_not_chosen_too() -> None:
    asked = DecisionAsked(sensitivity={"MEL": 0.9}, unsure_risk=0.1)
    asked.check(Decision(thresholds={"NV": 0.5}))
    with pytest.raises(BadInput, match="both stated and to be chosen"):
        asked.check(Decision(thresholds={"MEL": 0.5}))
    with pytest.raises(BadInput, match="unsure band is both"):
        asked.check(Decision(unsure_below=0.5))


def test_the_file_is_measured_by_its_own_answers() -> None:
    truth, mel = [0, 0, 1, 1], [0.9, 0.8, 0.2, 0.1]
    found = chosen(truth, mel, sensitivity={"MEL": 0.9}, unsure_coverage=0.5)
    moved = with_file(found, np.array(truth), answers([0.9, 0.7, 0.2, 0.1]), LABELS)
    (one,) = moved.thresholds
    assert one.reached.sensitivity.hits == 2
    assert one.file is not None
    assert one.file.sensitivity.hits == 1
    assert moved.without_file() == found


def test_the_curve_ends_at_the_error_of_all() -> None:
    coverage, risk = risk_coverage(np.array([0, 1, 0]), answers([0.9, 0.8, 0.8]))
    assert coverage.tolist() == pytest.approx([1 / 3, 1, 1])
    assert risk.tolist() == pytest.approx([0, 1 / 3, 1 / 3])
