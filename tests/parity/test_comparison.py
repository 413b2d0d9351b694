"""Every check can be judged again from what it records, and only as it was."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.verdict import Check, Data, Gate, Outcome
from pipeline.parity.comparison import compare, expect, not_measured, outcome_of
from pipeline.parity.golden_gate import judge_goldens
from pipeline.parity.judge import judge_recordings as judge
from pipeline.parity.paired import PairedShares
from pipeline.parity.thresholds import Thresholds
from pipeline.report.reference_sentences import REFERENCE_SENTENCES
from pipeline.report.sentences import SENTENCES, sentence
from tests.contract.goldens import ANSWERS
from tests.parity.recordings import answers, pair, recording
from tests.parity.test_golden_gate import REFERENCE, TOLERANCE, phone

TRUTH = [0] * 20 + [1, 2] * 150


def judged(rows: np.ndarray, truth: list[int], reference: np.ndarray | None = None) -> list[Check]:
    """Return the checks of both ways to judge."""
    before = answers(truth) if reference is None else reference
    both = recording(before, truth), recording(rows, truth, runtime="litert")
    return [
        check
        for strict in (False, True)
        for check in judge(*both, Thresholds(strict=strict), critical=("MEL",)).checks
    ]


# Made by the structure gate, whose own tests judge its checks again.
STRUCTURE = {"comparison", "file_size", "input_quantization", "delegation"}


def every_check() -> list[Check]:
    """Return what the gates find on answers that are right, wrong, few, unlabelled and broken."""
    gained = [0 if 60 <= i < 65 else label for i, label in enumerate(TRUTH)]
    blind = [1 if label == 0 else label for label in TRUTH]
    unlabelled = [-1] * 100
    cases = [
        judged(answers(TRUTH), TRUTH),
        judged(answers(blind), TRUTH),
        judged(answers(TRUTH), TRUTH, answers(blind)),
        judged(answers(TRUTH), TRUTH, answers(gained)),
        judged(answers(gained), TRUTH),
        judged(answers(TRUTH[10:40]), TRUTH[10:40]),
        judged(answers([1]), [1]),
        judged(np.log(answers(TRUTH)), TRUTH),
        judged(answers(TRUTH) * 0.9, TRUTH),
        judged(np.floor(answers(TRUTH) * 256) / 256, TRUTH),
        judged(np.full((len(TRUTH), 3), np.nan), TRUTH),
        judged(np.tile(answers([0]), (len(TRUTH), 1)), TRUTH),
        list(
            judge(
                *pair(unlabelled, [1, 2] * 50, [1, 2] * 50), Thresholds(), critical=("MEL",)
            ).checks
        ),
    ]
    moved = np.array(ANSWERS)
    moved[0, 0] -= 0.5
    moved[0, 1] += 0.5
    for rows in (np.array(ANSWERS), moved):
        cases.append(list(judge_goldens(REFERENCE, phone(rows), tolerance=TOLERANCE).checks))
    return [check for case in cases for check in case]


def test_every_check_of_every_gate_is_judged_the_same_from_its_record_alone() -> None:
    checks = every_check()
    assert {check.outcome for check in checks} == set(Outcome)
    for check in checks:
        again = Check.model_validate_json(check.model_dump_json())
        assert again == check
        assert outcome_of(again) is check.outcome, check


def test_every_kind_of_evidence_has_a_sentence_of_its_own() -> None:
    checks = every_check()
    assert {check.evidence["kind"] for check in checks} == SENTENCES.keys() - STRUCTURE - {
        *REFERENCE_SENTENCES
    }
    for check in checks:
        assert "not known here" not in sentence(check)
        assert "of another form" not in sentence(check)


def test_a_threshold_is_what_was_asked_or_one_image() -> None:
    asked = Thresholds()
    limits = {
        "accuracy_difference": asked.accuracy_tolerance,
        "balanced_accuracy_drop": asked.balanced_accuracy_tolerance,
        "critical_recall_drop:MEL": asked.critical_recall_tolerance,
    }
    seen = 0
    for check in every_check():
        tolerance = check.evidence.get("tolerance")
        if not isinstance(tolerance, dict):
            continue
        seen += 1
        assert tolerance["asked"] == limits[check.name]
        assert tolerance["applied"] == check.threshold
        n, classes = tolerance["n"], check.evidence.get("right_by_class", [None])
        assert isinstance(n, int)
        assert isinstance(classes, dict | list)
        assert check.threshold == max(limits[check.name], 1 / (n * len(classes)))
    assert seen > 20


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 80), st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_drawn_answers_are_judged_the_same_from_their_record(
    count: int, seed: int, moved: int
) -> None:
    random = np.random.default_rng(seed)
    rows = random.dirichlet(np.ones(3), size=count).astype(np.float32)
    other = rows.copy()
    other[:moved] = random.dirichlet(np.ones(3), size=len(other[:moved]))
    for check in judged(other, random.integers(-1, 3, size=count).tolist(), rows):
        assert outcome_of(check) is check.outcome


def accuracy(lost: int, gained: int, **changes: Any) -> Check:
    """Return a check of accuracy that is beyond its threshold, with the rule of a gain."""
    evidence: Data = {
        "kind": "accuracy",
        "paired": {"only_reference_right": lost, "only_candidate_right": gained},
        "unless": {"kind": "gain_within_chance", "significance": 0.05},
        **changes,
    }
    return compare("a", Gate.task, 0.02, "<=", 0.01, unit="share", evidence=evidence)


@pytest.mark.parametrize(
    ("lost", "gained", "outcome"),
    [
        (0, 5, Outcome.passed),
        (0, 6, Outcome.failed),
        (5, 0, Outcome.failed),
        (5, 5, Outcome.failed),
        (100, 115, Outcome.passed),
    ],
)
def test_only_a_gain_within_chance_passes_beyond_the_threshold(
    lost: int, gained: int, outcome: Outcome
) -> None:
    assert accuracy(lost, gained).outcome is outcome
    assert accuracy(lost, gained, unless=None).outcome is Outcome.failed


def test_a_recorded_p_value_does_not_excuse_what_the_counts_do_not() -> None:
    paired = {"only_reference_right": 0, "only_candidate_right": 9, "mcnemar_exact_p": 1.0}
    assert accuracy(0, 0, paired=paired).outcome is Outcome.failed


@pytest.mark.parametrize(
    ("found", "needed", "outcome"),
    [(3, 5, Outcome.inconclusive), (5, 5, Outcome.passed)],
)
def test_a_reason_that_its_own_numbers_refute_leaves_nothing_open(
    found: int, needed: int, outcome: Outcome
) -> None:
    reason: Data = {"kind": "too_few_images", "found": found, "needed": needed, "of": None}
    check = compare("a", Gate.task, 0, "==", 0, unit="", evidence={"kind": "x"}, undecided=reason)
    assert check.outcome is outcome


@pytest.mark.parametrize(
    ("expected", "found", "tolerance", "outcome"),
    [
        (["MEL", "NV"], ["MEL", "NV"], 0.0, Outcome.passed),
        (["MEL", "NV"], ["NV", "MEL"], 0.0, Outcome.failed),
        ({"scale": 1.0, "dtype": "uint8"}, {"scale": 1.0005, "dtype": "uint8"}, 1e-3, "pass"),
        ({"scale": 1.0, "dtype": "uint8"}, {"scale": 1.0005, "dtype": "uint8"}, 1e-4, "fail"),
        ({"scale": 1.0}, {"scale": 1.0, "more": 1}, 1e-3, Outcome.failed),
        ([1.0], [1.0, 1.0], 1e-3, Outcome.failed),
        (True, 1, 0.0, Outcome.failed),
        (1, 1.0, 0.0, Outcome.passed),
        (None, None, 0.0, Outcome.passed),
        ("a", None, 0.0, Outcome.failed),
    ],
)
def test_what_was_found_is_compared_with_what_was_expected(
    expected: Any, found: Any, tolerance: float, outcome: Outcome
) -> None:
    check = expect("x", Gate.structure, expected, found, relative_tolerance=tolerance, of="a file")
    assert check.outcome == outcome
    assert check.evidence["of"] == "a file"
    assert outcome_of(check) is check.outcome


def strict_checks() -> dict[str, Check]:
    """Return the task checks of a candidate that loses a few of many images, judged strictly."""
    truth = [0] * 1000 + [1, 2] * 1000
    candidate = [1 if i < 2 else label for i, label in enumerate(truth)]
    verdict = judge(*pair(truth, truth, candidate), Thresholds(strict=True), critical=("MEL",))
    assert verdict.passed
    return {check.name: check for check in verdict.checks if check.gate is Gate.task}


def changed(check: Check, path: list[str], value: Any) -> Check:
    """Return a check whose evidence has another value at a path."""
    evidence = json.loads(json.dumps(check.evidence))
    inner = evidence
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return check.model_copy(update={"evidence": evidence})


@pytest.mark.parametrize(
    ("name", "path", "value", "outcome"),
    [
        ("accuracy_difference", ["paired", "only_reference_right"], 60, Outcome.inconclusive),
        ("accuracy_difference", ["difference", "interval_95"], [0.0, 0.0], Outcome.inconclusive),
        ("accuracy_difference", ["difference", "interval_95"], None, Outcome.inconclusive),
        ("accuracy_difference", ["n"], 0, Outcome.inconclusive),
        ("accuracy_difference", ["tolerance", "asked"], 0.0001, Outcome.inconclusive),
        ("critical_recall_drop:MEL", ["paired"], {}, Outcome.inconclusive),
        ("critical_recall_drop:MEL", ["non_inferiority", "outcome"], "fail", Outcome.passed),
        ("balanced_accuracy_drop", ["right_by_class", "MEL", "images"], 6, Outcome.inconclusive),
        ("balanced_accuracy_drop", ["right_by_class"], {}, Outcome.inconclusive),
        ("balanced_accuracy_drop", ["difference", "interval_95"], [-0.1, 0.1], "inconclusive"),
        ("balanced_accuracy_drop", ["difference", "seed"], 1, Outcome.passed),
        ("balanced_accuracy_drop", ["difference", "seed"], "x", Outcome.inconclusive),
        ("top1_agreement", ["agreed"], 2900, Outcome.inconclusive),
        ("top1_agreement", ["interval_95"], [0.99], Outcome.inconclusive),
    ],
)
def test_a_strict_check_is_judged_by_its_counts_and_their_interval(
    name: str, path: list[str], value: Any, outcome: Outcome
) -> None:
    check = strict_checks()[name]
    assert outcome_of(check) is Outcome.passed
    assert outcome_of(changed(check, path, value)) == outcome


def test_a_strict_check_fails_where_counts_and_interval_are_beyond_the_margin() -> None:
    shares = PairedShares(1000, 60, 0)
    check = changed(
        strict_checks()["critical_recall_drop:MEL"], ["paired", "only_reference_right"], 60
    )
    forged = changed(check, ["difference", "interval_95"], [*shares.interval_95()])
    assert outcome_of(forged) is Outcome.failed


def test_what_records_nothing_to_judge_by_is_inconclusive() -> None:
    check = Check(name="x", gate=Gate.task, outcome=Outcome.passed, evidence={"kind": "later"})
    assert outcome_of(check) is Outcome.inconclusive
    open_check = not_measured("x", Gate.task, {"kind": "no_labelled_images"})
    assert outcome_of(open_check) is open_check.outcome is Outcome.inconclusive
