"""What a candidate is allowed where the reference's own answers move."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.contract.noise import CriticalFlips, MeasuredNoise, NoiseFloor, NoiseLevel
from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.errors import BadInput, Inconclusive
from pipeline.parity.comparison import outcome_of
from pipeline.parity.judge import judge_recordings
from pipeline.parity.noise_agreement import noise_that_differs
from pipeline.parity.thresholds import Thresholds
from pipeline.report.sentences import note, sentence
from pipeline.workflow.exported import fragile_advice
from pipeline.workflow.refusal import refusal
from tests.parity.recordings import answers, recording

COUNT = 200
TRUTH = [i % 3 for i in range(COUNT)]
IDS = [f"{i:064x}" for i in range(COUNT)]


def noise(agreement: float, difference: float, count: int = COUNT) -> MeasuredNoise:
    """Return the noise floor of a reference on the first images."""
    levels = tuple(
        NoiseLevel(
            pixel_steps=steps,
            agreement=agreement,
            mean_difference=difference,
            flips={"MEL": CriticalFlips(into=1, out_of=2)},
        )
        for steps in (0.5, 1.0)
    )
    floor = NoiseFloor(images=count, seed=0, levels=levels)
    return MeasuredNoise(image_ids=tuple(IDS[:count]), floor=floor)


def judged(flipped: int, measured: MeasuredNoise | None, **limits: Any) -> Verdict:
    """Judge a candidate that chooses otherwise on the first `flipped` images.

    Two classes of an image that flips are nearly even, so that accuracy alone decides nothing.
    """
    before = answers(TRUTH, sure=0.5)
    after = before.copy()
    for i in range(flipped):
        first, second, third = np.argsort(-before[i])
        before[i, [first, second, third]] = 0.40, 0.39, 0.21
        after[i] = before[i]
        after[i, first], after[i, second] = before[i, second], before[i, first]
    # Not labelled: what is asked here is the agreement alone.
    truth = [-1] * COUNT
    return judge_recordings(
        recording(before, truth),
        recording(after, truth, runtime="litert"),
        Thresholds(**limits),
        critical=(),
        unlabelled=True,
        noise=measured,
    )


def agreement_of(verdict: Verdict) -> Check:
    (check,) = (one for one in verdict.checks if one.name == "top1_agreement")
    again = Check.model_validate_json(check.model_dump_json())
    assert outcome_of(again) is check.outcome
    return check


@pytest.mark.parametrize(
    ("flipped", "measured", "outcome"),
    [
        # 18 of 200 flips are 0.91, and each moves a probability by 0.01.
        (18, noise(0.90, 0.03), Outcome.inconclusive),
        (18, noise(0.91, 0.03), Outcome.inconclusive),
        (18, noise(0.92, 0.03), Outcome.failed),
        (18, noise(0.90, 0.0001), Outcome.failed),
        (18, None, Outcome.failed),
        (8, noise(0.90, 0.03), Outcome.passed),
    ],
    ids=["within", "as much", "more flips", "further", "not measured", "agrees"],
)
def test_a_file_within_the_model_s_own_noise_is_neither_passed_nor_failed(
    flipped: int, measured: MeasuredNoise | None, outcome: Outcome
) -> None:
    assert agreement_of(judged(flipped, measured)).outcome is outcome


def test_a_steady_model_excuses_nothing() -> None:
    # Its own noise keeps the limit, so it cannot explain a file that does not.
    verdict = judged(18, noise(0.955, 0.5))
    assert agreement_of(verdict).outcome is Outcome.failed
    assert "not within the model's own noise" in sentence(agreement_of(verdict))
    # Not even where the recorded counts are of few images on which the file happens to agree.
    first = noise(0.955, 0.5, count=20)
    assert agreement_of(judged(18, first)).outcome is Outcome.failed


def test_only_the_images_that_the_noise_was_measured_on_are_compared() -> None:
    # All 18 flips are among the first 100 images: 0.82 there, 0.91 in all.
    evidence = agreement_of(judged(18, noise(0.80, 0.03, count=100))).evidence["own_noise"]
    assert isinstance(evidence, dict)
    assert evidence["n"] == 100
    assert evidence["reference_agreed"] == 80
    assert evidence["candidate_agreed"] == 82
    assert agreement_of(judged(18, noise(0.85, 0.03, count=100))).outcome is Outcome.failed
    other = noise(0.9, 0.03).model_copy(update={"image_ids": ("f" * 64,)})
    with pytest.raises(BadInput, match="other images"):
        judged(18, other)


def test_a_fragile_model_s_file_is_published_only_on_request_and_the_verdict_says_so() -> None:
    open_verdict = judged(18, noise(0.90, 0.03))
    assert open_verdict.outcome is Outcome.inconclusive
    assert isinstance(refusal(open_verdict), Inconclusive)
    assert "--accept-fragile" in str(fragile_advice(open_verdict))
    accepted = judged(18, noise(0.90, 0.03), accept_fragile=True)
    assert accepted.passed
    check = agreement_of(accepted)
    assert check.evidence["unless"] == {"kind": "own_noise_accepted"}
    assert "--accept-fragile" in sentence(check)
    assert accepted.figures["thresholds"]["accept_fragile"] is True
    # Nobody accepts more than noise.
    assert not judged(18, noise(0.92, 0.03), accept_fragile=True).passed
    assert fragile_advice(judged(18, None)) is None


@pytest.mark.parametrize(
    "change",
    [
        {"reference_agreed": 195},
        {"candidate_agreed": 179},
        {"candidate_mean_difference": 0.04},
        {"candidate_agreed": None},
        {"n": 0},
    ],
    ids=["steady", "more flips", "further", "not recorded", "no images"],
)
def test_an_excuse_that_its_own_record_refutes_is_none(change: dict[str, Any]) -> None:
    check = agreement_of(judged(18, noise(0.90, 0.03), accept_fragile=True))
    recorded = check.evidence["own_noise"]
    assert isinstance(recorded, dict)
    edited = {**check.evidence, "own_noise": {**recorded, **change}}
    assert outcome_of(check.model_copy(update={"evidence": edited})) is Outcome.failed


def test_a_fragile_model_is_called_so_whether_or_not_its_file_passes() -> None:
    for flipped in (0, 18):
        verdict = judged(flipped, noise(0.94, 0.03))
        (data,) = (n for n in verdict.figures["notes"] if n["kind"] == "fragile_model")
        assert (data["agreement"], data["min_agreement"]) == (0.94, 0.95)
        assert "94.00%" in note(data)
        assert verdict.figures["noise"]["fragile"] is True
    steady = judged(0, noise(0.95, 0.03))
    assert steady.figures["noise"]["fragile"] is False
    assert "fragile_model" not in {n["kind"] for n in steady.figures["notes"]}
    assert judged(0, noise(0.99, 0.11)).figures["noise"]["fragile"] is True
    assert "noise" not in judged(0, None).figures


@pytest.mark.parametrize(
    ("flipped", "agreement", "accepted", "outcome"),
    [
        # 18 and 40 of 200 flips: the whole interval is below 0.95.
        (18, 0.90, False, Outcome.inconclusive),
        (18, 0.90, True, Outcome.passed),
        (40, 0.78, False, Outcome.inconclusive),
        (40, 0.78, True, Outcome.passed),
        (40, 0.90, True, Outcome.failed),
        # 8 of 200 keep the limit, but their interval does not.
        (8, 0.90, False, Outcome.inconclusive),
        (8, 0.90, True, Outcome.passed),
        (8, 0.98, True, Outcome.inconclusive),
        (0, 0.90, False, Outcome.passed),
    ],
)
def test_noise_excuses_what_the_whole_interval_asks_for_too(
    flipped: int, agreement: float, accepted: bool, outcome: Outcome
) -> None:
    verdict = judged(flipped, noise(agreement, 0.2), strict=True, accept_fragile=accepted)
    check = agreement_of(verdict)
    assert check.outcome is outcome
    excused = flipped > 0 and outcome is Outcome.passed
    assert ("--accept-fragile" in sentence(check)) is excused
    straddles = outcome is Outcome.inconclusive and flipped == 8
    assert ("interval holds the limit" in sentence(check)) is straddles


def test_an_honest_record_of_noise_is_consistent() -> None:
    for flipped, measured in ((18, noise(0.90, 0.03)), (18, noise(0.80, 0.03, count=200))):
        verdict = judged(flipped, measured, accept_fragile=True)
        again = Verdict.model_validate_json(verdict.model_dump_json())
        assert noise_that_differs(again, Thresholds(accept_fragile=True), in_8_bits=True) == []
    without = judged(0, None)
    assert noise_that_differs(without, Thresholds(), in_8_bits=False) == []
    assert noise_that_differs(without, Thresholds(), in_8_bits=True) != []
    assert noise_that_differs(judged(0, noise(0.9, 0.03)), Thresholds(), in_8_bits=False) != []


@pytest.mark.parametrize(
    "change",
    [
        {"n": 20},
        {"reference_agreed": 150},
        {"reference_mean_difference": 0.5},
        {"pixel_steps": 9.0},
        {"candidate_agreed": 200},
        {"candidate_mean_difference": 0.0},
    ],
    ids=str,
)
def test_evidence_of_noise_that_is_not_the_recorded_floor_is_found(change: dict[str, Any]) -> None:
    # The gate failed this file; edited, its evidence would excuse it.
    verdict = judged(18, noise(0.92, 0.03), accept_fragile=True)
    edited = verdict.model_dump(mode="json")
    (check,) = (one for one in edited["checks"] if one["name"] == "top1_agreement")
    check["evidence"]["own_noise"] |= change
    check["outcome"] = str(outcome_of(Check.model_validate(check)))
    edited["outcome"] = "pass" if check["outcome"] == "pass" else edited["outcome"]
    forged = Verdict.model_validate(edited)
    found = noise_that_differs(forged, Thresholds(accept_fragile=True), in_8_bits=True)
    assert len(found) >= 1


@pytest.mark.parametrize(
    "edit",
    [
        lambda figures: figures.pop("noise"),
        lambda figures: figures["noise"].update(fragile=False),
        lambda figures: figures["noise"].update(images=20),
        lambda figures: figures["noise"].update(levels=[]),
        lambda figures: figures["noise"]["levels"][-1].update(agreement=0.5),
        lambda figures: figures["notes"].clear(),
    ],
    ids=["removed", "called steady", "fewer images", "no level", "more noise", "no note"],
)
def test_edited_figures_of_noise_are_found(edit: Callable[[dict[str, Any]], Any]) -> None:
    verdict = judged(18, noise(0.90, 0.03))
    figures = copy.deepcopy(verdict.figures)
    edit(figures)
    forged = verdict.model_copy(update={"figures": figures})
    assert noise_that_differs(forged, Thresholds(), in_8_bits=True) != []
