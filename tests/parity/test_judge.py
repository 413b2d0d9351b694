from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.errors import BadInput
from pipeline.parity.judge import judge_recordings as judge
from pipeline.parity.non_inferiority import images_for_share, paired_evidence
from pipeline.parity.paired import PairedShares
from pipeline.parity.statistics import mcnemar_exact, wilson_95
from pipeline.parity.thresholds import Thresholds
from tests.parity.recordings import answers, pair, recording

DEFAULT = Thresholds()
CRITICAL = ("MEL",)


def check_of(verdict: Verdict, name: str) -> Check:
    return next(check for check in verdict.checks if check.name == name)


def truth_of(melanomas: int, total: int) -> list[int]:
    return [0] * melanomas + [1 + i % 2 for i in range(total - melanomas)]


def flipped(classes: list[int], rows: range, to: int) -> list[int]:
    return [to if i in rows else c for i, c in enumerate(classes)]


def test_equal_answers_of_another_runtime_pass_every_check() -> None:
    truth = truth_of(20, 100)
    verdict = judge(*pair(truth, truth, truth), DEFAULT, critical=CRITICAL)
    assert verdict.passed
    assert len(verdict.checks) == 13
    assert verdict.figures["self_comparison"] is False
    assert verdict.figures["flips"] == {"count": 0, "examples": []}
    assert verdict.reference["runtime"] == "keras"
    assert verdict.candidate["runtime"] == "litert"


def test_lost_melanomas_fail_although_accuracy_is_kept() -> None:
    truth = truth_of(50, 1000)
    # The reference confuses ten nevi, the candidate ten melanomas instead.
    reference = flipped(truth, range(50, 60), 0)
    candidate = flipped(truth, range(10), 1)
    verdict = judge(*pair(truth, reference, candidate), DEFAULT, critical=CRITICAL)
    assert verdict.outcome is Outcome.failed
    assert [check.name for check in verdict.broken()] == [
        "balanced_accuracy_drop",
        "critical_recall_drop:MEL",
    ]
    accuracy = check_of(verdict, "accuracy_difference")
    assert (accuracy.value, accuracy.outcome) == (0.0, Outcome.passed)
    recall = check_of(verdict, "critical_recall_drop:MEL")
    assert (recall.value, recall.threshold) == (0.2, 0.02)
    evidence = recall.evidence
    assert evidence["kind"] == "critical_recall"
    assert evidence["reference"] == {"right": 50, "share": 1.0, "interval_95": [*wilson_95(50, 50)]}
    assert evidence["candidate"] == {"right": 40, "share": 0.8, "interval_95": [*wilson_95(40, 50)]}
    assert evidence["tolerance"] == {"asked": 0.01, "applied": 0.02, "n": 50, "label": "MEL"}
    assert evidence["paired"] == {
        "only_reference_right": 10,
        "only_candidate_right": 0,
        "mcnemar_exact_p": 2 / 2**10,
    }
    assert verdict.figures["recall"]["MEL"] == {
        **{"images": 50, "critical": True, "reference": 1.0, "candidate": 0.8}
    }
    assert verdict.figures["paired"]["only_reference_right"] == 10
    assert verdict.figures["paired"]["only_candidate_right"] == 10


@pytest.mark.parametrize(
    ("total", "lost", "passes"),
    [(400, 4, True), (400, 5, False), (60, 1, True), (60, 2, False), (300, 3, True)],
)
def test_accuracy_may_move_by_the_tolerance_or_one_image(
    total: int, lost: int, passes: bool
) -> None:
    truth = [1 + i % 2 for i in range(total)]
    candidate = flipped(truth, range(lost), 0)
    verdict = judge(*pair(truth, truth, candidate), DEFAULT, critical=())
    check = check_of(verdict, "accuracy_difference")
    assert check.value == lost / total
    assert (check.outcome is Outcome.passed) is passes


def test_accuracy_is_held_both_ways_and_recall_one_way() -> None:
    truth = truth_of(50, 500)
    reference = flipped(truth, range(20), 1)
    verdict = judge(*pair(truth, reference, truth), DEFAULT, critical=CRITICAL)
    assert check_of(verdict, "accuracy_difference").outcome is Outcome.failed
    assert check_of(verdict, "balanced_accuracy_drop").outcome is Outcome.passed
    recall = check_of(verdict, "critical_recall_drop:MEL")
    assert (recall.value, recall.outcome) == (-0.4, Outcome.passed)


@pytest.mark.parametrize(("gained", "passes"), [(5, True), (6, False)])
def test_a_gain_fails_only_where_chance_does_not_explain_it(gained: int, passes: bool) -> None:
    truth = truth_of(50, 300)
    reference = flipped(truth, range(60, 60 + gained), 0)
    verdict = judge(*pair(truth, reference, truth), DEFAULT, critical=CRITICAL)
    check = check_of(verdict, "accuracy_difference")
    assert (check.outcome is Outcome.passed) is passes
    # The threshold is the one asked, whatever let the check pass beyond it.
    assert (check.value, check.threshold) == (gained / 300, 0.01)
    assert check.within_threshold is False
    assert check.evidence["unless"] == {"kind": "gain_within_chance", "significance": 0.05}
    assert check.evidence["paired"] == {
        "only_reference_right": 0,
        "only_candidate_right": gained,
        "mcnemar_exact_p": mcnemar_exact(0, gained),
    }
    assert (mcnemar_exact(0, gained) >= 0.05) is passes


def test_agreement_counts_flips_that_cost_no_accuracy() -> None:
    truth = [1] * 100 + [2] * 100
    reference = flipped(truth, range(20), 0)
    candidate = flipped(truth, range(20), 2)
    verdict = judge(*pair(truth, reference, candidate), DEFAULT, critical=())
    assert [check.name for check in verdict.broken()] == ["top1_agreement"]
    check = verdict.broken()[0]
    assert check.value == 0.9
    assert check.evidence == {
        "kind": "agreement",
        "agreed": 180,
        "n": 200,
        "interval_95": [*wilson_95(180, 200)],
        "needed": 190,
        # The whole interval lies below the limit: it is decided.
        "images_to_decide": None,
    }


def test_balanced_accuracy_allows_one_image_of_the_rarest_class() -> None:
    truth = [0] * 10 + [1] * 100 + [2] * 100
    once = judge(*pair(truth, truth, flipped(truth, range(1), 1)), DEFAULT, critical=())
    twice = judge(*pair(truth, truth, flipped(truth, range(2), 1)), DEFAULT, critical=())
    check = check_of(once, "balanced_accuracy_drop")
    assert (check.value, check.threshold) == (1 / 30, 1 / 30)
    assert check.outcome is Outcome.passed
    assert check.evidence["tolerance"] == {
        "asked": 0.02,
        "applied": 1 / 30,
        "n": 10,
        "label": "MEL",
    }
    assert check_of(twice, "balanced_accuracy_drop").outcome is Outcome.failed


@pytest.mark.parametrize("side", ["reference", "candidate"])
@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf])
def test_nan_ends_the_verdict_before_any_tolerance(side: str, poison: float) -> None:
    truth = truth_of(20, 100)
    bad = answers(truth)
    bad[7, 2] = poison
    rows = {"reference": answers(truth), "candidate": answers(truth), side: bad}
    verdict = judge(
        recording(rows["reference"], truth),
        recording(rows["candidate"], truth, runtime="litert"),
        DEFAULT,
        critical=CRITICAL,
    )
    assert [check.name for check in verdict.broken()] == [f"{side}_not_finite"]
    assert verdict.broken()[0].value == 1
    assert all(check.gate == "numbers" for check in verdict.checks)
    assert "accuracy" not in verdict.figures
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (lambda p: np.log(p), "candidate_out_of_range"),
        (lambda p: p * 0.9, "candidate_sum_error"),
        (lambda p: p * 0.998, "candidate_sum_error"),
        (lambda p: np.tile(p[:1], (len(p), 1)), "candidate_distinct_answers"),
        (lambda p: p * 255, "candidate_out_of_range"),
    ],
    ids=["logits", "scaled", "hardly scaled", "constant", "not dequantized"],
)
def test_what_is_no_probability_ends_the_verdict(spoil: object, check: str) -> None:
    truth = truth_of(20, 100)
    verdict = judge(
        recording(answers(truth), truth),
        recording(spoil(answers(truth)), truth, runtime="litert"),  # type: ignore[operator]
        DEFAULT,
        critical=CRITICAL,
    )
    assert check in {broken.name for broken in verdict.broken()}
    assert all(done.gate == "numbers" for done in verdict.checks)


def test_eight_bit_outputs_may_sum_off_by_a_step_a_class() -> None:
    truth = truth_of(20, 100)
    steps = np.floor(answers(truth) * 256) / 256
    assert np.abs(steps.sum(axis=1) - 1).max() > 1e-3
    verdict = judge(
        recording(answers(truth), truth),
        recording(steps, truth, runtime="litert"),
        DEFAULT,
        critical=CRITICAL,
    )
    assert verdict.passed
    assert check_of(verdict, "candidate_sum_error").threshold == 3 / 256


def test_ties_of_quantized_outputs_are_counted_and_the_first_class_is_taken() -> None:
    truth = [i % 2 for i in range(60)]
    tied = answers(truth, sure=0.9)
    tied[1] = (0.5, 0.5, 0.0)
    verdict = judge(
        recording(answers(truth), truth),
        recording(tied, truth, runtime="litert"),
        DEFAULT,
        critical=(),
    )
    assert verdict.figures["ties"] == {"reference": 0, "candidate": 1}
    assert verdict.figures["flips"]["count"] == 1
    flip = verdict.figures["flips"]["examples"][0]
    assert (flip["reference"], flip["candidate"], flip["truth"]) == ("NV", "MEL", "NV")


def test_differences_are_the_largest_of_each_image() -> None:
    truth = [i % 3 for i in range(100)]
    moved = answers(truth)
    moved[0, :2] += np.float32([-0.25, 0.25])
    verdict = judge(
        recording(answers(truth), truth),
        recording(moved, truth, runtime="litert"),
        DEFAULT,
        critical=(),
    )
    figures = verdict.figures["probability_difference"]
    assert figures["largest"] == pytest.approx(0.25, abs=1e-6)
    assert figures["mean"] == pytest.approx(0.0025, abs=1e-6)
    # 99 images at 0 and one at 0.25: linear interpolation at position 98.01.
    assert figures["p99"] == pytest.approx(0.0025, abs=1e-6)


def test_a_wrong_normalization_fails_the_numbers_gate() -> None:
    truth = [i % 3 for i in range(100)]
    verdict = judge(
        recording(answers(truth), truth),
        recording(answers(truth, sure=0.5), truth, runtime="litert"),
        DEFAULT,
        critical=(),
    )
    assert [check.name for check in verdict.broken()] == ["mean_probability_difference"]


def test_images_declared_unlabelled_pass_on_agreement_and_say_what_is_not_proven() -> None:
    classes = truth_of(20, 100)
    both = pair([-1] * 100, classes, classes)
    verdict = judge(*both, DEFAULT, critical=CRITICAL, unlabelled=True)
    assert verdict.passed
    assert {check.name for check in verdict.checks if check.gate is Gate.task} == {"top1_agreement"}
    assert verdict.figures["notes"] == [{"kind": "accuracy_not_proven", "not_gated": ["MEL"]}]
    assert verdict.figures["critical"] == []
    apart = pair([-1] * 100, classes, flipped(classes, range(10), 1))
    failed = judge(*apart, DEFAULT, critical=CRITICAL, unlabelled=True)
    assert [check.name for check in failed.broken()] == ["top1_agreement"]
    few = pair([-1] * 30, classes[:30], classes[:30])
    undecided = judge(*few, DEFAULT, critical=(), unlabelled=True)
    assert undecided.outcome is Outcome.inconclusive


def test_images_declared_unlabelled_may_have_no_label() -> None:
    classes = truth_of(20, 100)
    with pytest.raises(BadInput, match="declared to have no labels"):
        judge(*pair(classes, classes, classes), DEFAULT, critical=(), unlabelled=True)


def test_unlabelled_images_leave_accuracy_open_but_not_agreement() -> None:
    classes = [i % 3 for i in range(100)]
    verdict = judge(*pair([-1] * 100, classes, classes), DEFAULT, critical=CRITICAL)
    assert verdict.outcome is Outcome.inconclusive
    assert {check.name for check in verdict.broken()} == {
        "accuracy_difference",
        "balanced_accuracy_drop",
        "critical_recall_drop:MEL",
    }
    assert check_of(verdict, "top1_agreement").outcome is Outcome.passed
    assert "accuracy" not in verdict.figures


def test_too_few_images_decide_nothing() -> None:
    truth = truth_of(10, 49)
    verdict = judge(*pair(truth, truth, truth), DEFAULT, critical=CRITICAL)
    assert verdict.outcome is Outcome.inconclusive
    accuracy = check_of(verdict, "accuracy_difference")
    assert accuracy.evidence["undecided"] == {
        "kind": "too_few_images",
        "found": 49,
        "needed": 50,
        "of": None,
    }


@pytest.mark.parametrize("melanomas", [0, 4])
def test_too_few_images_of_a_critical_class_decide_nothing(melanomas: int) -> None:
    truth = truth_of(melanomas, 100)
    verdict = judge(*pair(truth, truth, truth), DEFAULT, critical=CRITICAL)
    assert [check.name for check in verdict.broken()] == ["critical_recall_drop:MEL"]
    assert verdict.outcome is Outcome.inconclusive


def test_a_reference_that_recognizes_no_critical_image_proves_nothing() -> None:
    truth = truth_of(20, 400)
    blind = flipped(truth, range(20), 1)
    verdict = judge(*pair(truth, blind, blind), DEFAULT, critical=CRITICAL)
    assert verdict.outcome is Outcome.inconclusive
    assert verdict.broken()[0].evidence["undecided"] == {
        "kind": "reference_never_right",
        "label": "MEL",
    }


def test_an_unknown_critical_class_is_refused() -> None:
    truth = truth_of(20, 100)
    with pytest.raises(BadInput, match="critical class"):
        judge(*pair(truth, truth, truth), DEFAULT, critical=("MELANOMA",))


def test_only_the_twenty_surest_flips_are_listed() -> None:
    truth = [1] * 100
    candidate = flipped(truth, range(30), 2)
    flips = judge(*pair(truth, truth, candidate), DEFAULT, critical=()).figures["flips"]
    margins = [flip["margin"] for flip in flips["examples"]]
    assert (flips["count"], len(margins)) == (30, 20)
    assert margins == sorted(margins, reverse=True)


def probabilities() -> st.SearchStrategy[tuple[np.ndarray, list[int]]]:
    def build(args: tuple[int, int]) -> tuple[np.ndarray, list[int]]:
        count, seed = args
        random = np.random.default_rng(seed)
        rows = random.dirichlet(np.ones(3), size=count).astype(np.float32)
        return rows, random.integers(-1, 3, size=count).tolist()

    return st.tuples(st.integers(1, 120), st.integers(0, 2**32 - 1)).map(build)


@settings(deadline=None, max_examples=50)
@given(probabilities())
def test_a_recording_never_differs_from_itself(case: tuple[np.ndarray, list[int]]) -> None:
    one = recording(*case)
    verdict = judge(one, one, DEFAULT, critical=CRITICAL)
    figures = verdict.figures
    assert figures["probability_difference"] == {"largest": 0.0, "p99": 0.0, "mean": 0.0}
    assert figures["top1_agreement"]["share"] == 1.0
    assert figures["flips"]["count"] == 0
    assert figures["self_comparison"] is True
    assert figures["notes"] == [{"kind": "self_comparison"}]
    assert verdict.outcome is not Outcome.failed
    assert Verdict.model_validate_json(verdict.model_dump_json()) == verdict


@settings(deadline=None, max_examples=50)
@given(probabilities(), st.integers(0, 2**32 - 1))
def test_the_order_of_the_candidate_changes_nothing(
    case: tuple[np.ndarray, list[int]], seed: int
) -> None:
    rows, truth = case
    random = np.random.default_rng(seed)
    other = random.dirichlet(np.ones(3), size=len(rows)).astype(np.float32)
    ids = [f"{i:064x}" for i in range(len(rows))]
    order = random.permutation(len(rows))
    straight = recording(other, truth, runtime="litert", ids=ids)
    shuffled = recording(
        other[order],
        [truth[i] for i in order],
        runtime="litert",
        ids=[ids[i] for i in order],
    )
    reference = recording(rows, truth, ids=ids)
    first = judge(reference, straight, DEFAULT, critical=CRITICAL)
    second = judge(reference, shuffled, DEFAULT, critical=CRITICAL)
    assert first.checks == second.checks
    assert first.figures == second.figures


def test_a_verdict_without_checks_is_a_failure() -> None:
    assert Verdict.from_checks([]).outcome is Outcome.failed


def test_thresholds_are_recorded() -> None:
    truth = truth_of(20, 100)
    strict = Thresholds(min_top1_agreement=1.0)
    verdict = judge(*pair(truth, truth, truth), strict, critical=CRITICAL)
    assert verdict.figures["thresholds"]["min_top1_agreement"] == 1.0
    assert check_of(verdict, "top1_agreement").threshold == 1.0


STRICT = Thresholds(strict=True)


def task_outcomes(verdict: Verdict) -> dict[str, Outcome]:
    return {check.name: check.outcome for check in verdict.checks if check.gate is Gate.task}


def test_every_task_check_records_its_interval_and_what_would_decide() -> None:
    truth = truth_of(50, 500)
    candidate = flipped(truth, range(48, 53), 2)
    verdict = judge(*pair(truth, truth, candidate), DEFAULT, critical=CRITICAL)
    for name, shares in (
        ("accuracy_difference", PairedShares(500, 4, 0)),
        ("critical_recall_drop:MEL", PairedShares(50, 2, 0)),
    ):
        evidence = check_of(verdict, name).evidence
        assert evidence["difference"] == {
            "kind": "score",
            "value": shares.difference,
            "interval_95": [*shares.interval_95()],
        }
        assert {**evidence, **paired_evidence(shares, 0.01)} == evidence
        assert "strict" not in evidence
    balanced = check_of(verdict, "balanced_accuracy_drop")
    counts = {"only_reference_right": 2, "only_candidate_right": 0}
    assert balanced.evidence["right_by_class"]["MEL"] == {  # type: ignore[call-overload, index]
        **{"images": 50, "reference": 50, "candidate": 48},
        **counts,
    }
    assert balanced.value is not None
    assert balanced.evidence["difference"]["value"] == pytest.approx(-balanced.value)  # type: ignore[call-overload, index]


def test_strict_is_undecided_where_the_estimate_passes_on_few_images() -> None:
    truth = truth_of(50, 300)
    both = pair(truth, truth, truth)
    assert judge(*both, DEFAULT, critical=CRITICAL).passed
    verdict = judge(*both, STRICT, critical=CRITICAL)
    assert verdict.outcome is Outcome.inconclusive
    assert task_outcomes(verdict) == {
        "accuracy_difference": Outcome.inconclusive,
        "top1_agreement": Outcome.passed,
        "balanced_accuracy_drop": Outcome.inconclusive,
        "critical_recall_drop:MEL": Outcome.inconclusive,
    }
    rule = check_of(verdict, "critical_recall_drop:MEL").evidence["non_inferiority"]
    assert isinstance(rule, dict)
    assert rule["margin"] == 0.01
    assert isinstance(rule["images_if_equal"], int)
    assert rule["images_if_equal"] > 381


def test_strict_passes_what_enough_images_prove() -> None:
    truth = truth_of(600, 3000)
    candidate = flipped(truth, range(1500, 1503), 0)
    verdict = judge(*pair(truth, truth, candidate), STRICT, critical=CRITICAL)
    assert verdict.passed
    assert verdict.figures["thresholds"]["strict"] is True


def test_strict_fails_what_lies_wholly_beyond_the_margin() -> None:
    truth = truth_of(300, 1500)
    candidate = flipped(truth, range(60), 1)
    verdict = judge(*pair(truth, truth, candidate), STRICT, critical=CRITICAL)
    assert task_outcomes(verdict) == {
        "accuracy_difference": Outcome.failed,
        # 96% agree, and Wilson's interval reaches just below the 95% asked for.
        "top1_agreement": Outcome.inconclusive,
        "balanced_accuracy_drop": Outcome.failed,
        "critical_recall_drop:MEL": Outcome.failed,
    }
    assert verdict.outcome is Outcome.failed


def test_strict_still_fails_a_gain_that_shows_another_model() -> None:
    truth = truth_of(100, 1000)
    reference = flipped(truth, range(500, 540), 0)
    verdict = judge(*pair(truth, reference, truth), STRICT, critical=CRITICAL)
    assert task_outcomes(verdict)["accuracy_difference"] is Outcome.failed


def test_strict_agreement_needs_its_interval_above_the_limit() -> None:
    truth = truth_of(0, 400)
    candidate = flipped(truth, range(14), 0)
    both = pair([-1] * 400, truth, candidate)
    assert judge(*both, DEFAULT, critical=(), unlabelled=True).passed
    verdict = judge(*both, STRICT, critical=(), unlabelled=True)
    check = check_of(verdict, "top1_agreement")
    assert check.outcome is Outcome.inconclusive
    assert check.evidence["images_to_decide"] == images_for_share(386 / 400, 0.95)
    assert wilson_95(386, 400)[0] < 0.95
