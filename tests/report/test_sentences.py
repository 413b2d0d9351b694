from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.verdict import Check, Gate, Outcome
from pipeline.report.sentences import SENTENCES, note, sentence, summary
from pipeline.report.wording import asked_for, limit, plain

TOLERANCE = {"asked": 0.01, "applied": 0.02, "n": 50}


def check(evidence: dict[str, object], **fields: object) -> Check:
    values = {"name": "x", "gate": Gate.task, "outcome": Outcome.passed, "evidence": evidence}
    return Check.model_validate(values | fields)


def accuracy(tolerance: dict[str, object], gained: int = 0, **fields: object) -> Check:
    side = {"right": 40, "share": 0.8, "interval_95": [0.67, 0.89]}
    evidence = {
        "kind": "accuracy",
        "reference": side,
        "candidate": {**side, "right": 40 + gained, "share": (40 + gained) / 50},
        "n": 50,
        "tolerance": tolerance,
        "paired": {
            "only_reference_right": 0,
            "only_candidate_right": gained,
            "mcnemar_exact_p": 0.0625,
        },
        "unless": {"kind": "gain_within_chance", "significance": 0.05},
    }
    known = {"unit": "share", "comparison": "<=", "threshold": 0.02, "value": gained / 50}
    return check(evidence, **{**known, **fields})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([*SENTENCES, "of a later version"]),
    st.dictionaries(
        st.sampled_from(
            ["side", "n", "images", "reference", "tolerance", "undecided", "unless", "paired"]
        )
        | st.text(),
        json_values,
        max_size=6,
    ),
    st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
def test_any_data_has_a_sentence(kind: str, data: dict[str, object], value: float | None) -> None:
    made = check({"kind": "x"}, value=value, threshold=0.0, comparison="<=", unit="share")
    made = made.model_copy(update={"evidence": {**data, "kind": kind}})
    assert isinstance(sentence(made), str)
    assert isinstance(summary(made), str)
    assert isinstance(note(made.evidence), str)


def test_evidence_of_a_later_version_is_shown_whole() -> None:
    text = sentence(check({"kind": "drift", "found": 3, "limits": [1, 2.5], "per": {"MEL": None}}))
    assert text.startswith("evidence of a kind not known here, drift: ")
    for part in ("found: 3", "limits: 1, 2.5", "per: MEL: \N{EN DASH}"):
        assert part in text


def test_known_evidence_of_another_form_is_shown_whole() -> None:
    text = sentence(check({"kind": "accuracy", "reference": 0.5}))
    assert text == "evidence of another form, accuracy: reference: 0.5"


@pytest.mark.parametrize(
    ("tolerance", "threshold", "words"),
    [
        (TOLERANCE, 0.02, "\u2264 1.00%, one image of 50 allowed (n = 50)"),
        ({**TOLERANCE, "label": "MEL"}, 0.02, "\u2264 1.00%, one image of 50 allowed (n = 50 MEL)"),
        ({"asked": 0.01, "applied": 0.01, "n": 400}, 0.01, "\u2264 1.00% (n = 400)"),
    ],
)
def test_a_tolerance_is_shown_as_asked_with_the_image_it_allows(
    tolerance: dict[str, object], threshold: float, words: str
) -> None:
    assert limit(accuracy(tolerance, threshold=threshold)) == words


def test_a_gain_that_chance_explains_is_said_wherever_the_check_is_shown() -> None:
    gain = accuracy({"asked": 0.01, "applied": 0.02, "n": 50}, gained=5)
    for text in (asked_for(gain), sentence(gain), summary(gain)):
        assert text.endswith("passed as a gain that chance explains (p = 0.0625)")
    lost = gain.model_copy(update={"outcome": Outcome.failed})
    within = gain.model_copy(update={"value": 0.02})
    assert not any("chance" in asked_for(one) for one in (lost, within))


def test_an_undecided_check_says_why() -> None:
    reason = {"kind": "too_few_images", "found": 3, "needed": 5, "of": "MEL"}
    evidence = {"kind": "comparison", "expected": 1, "found": 2, "undecided": reason}
    assert sentence(check(evidence)) == (
        "undecided, 3 images of MEL, fewer than the 5 needed: expected 1, found 2"
    )
    missing = {"kind": "not_measured", "reason": {"kind": "no_images_of_class", "label": "MEL"}}
    assert sentence(check(missing)) == "not measured: no image is labelled MEL"


def test_a_comparison_shows_both_sides() -> None:
    evidence = {"kind": "comparison", "expected": ["MEL", "NV"], "found": [], "of": "labels"}
    assert sentence(check(evidence)) == "expected MEL, NV, found none (of: labels)"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "\N{EN DASH}"),
        (True, "yes"),
        (0.1, "0.1"),
        ([], "none"),
        ({}, "none"),
        ([1, "a"], "1, a"),
        ({"learning_rate": [1e-3, None]}, "learning rate: 0.001, \N{EN DASH}"),
    ],
)
def test_a_value_reads_as_a_person_writes_it(value: object, words: str) -> None:
    assert plain(value) == words


@pytest.mark.parametrize("not_gated", [[], ["MEL"]])
def test_what_is_not_proven_without_labels_is_said_loudly(not_gated: list[str]) -> None:
    text = note({"kind": "accuracy_not_proven", "not_gated": not_gated})
    assert text.startswith(
        "ACCURACY NOT PROVEN: the photographs have no labels, so the file is only shown to answer "
        "as the Keras model does"
    )
    assert ("MEL" in text) == bool(not_gated)


def strict_recall(if_equal: int | None, as_observed: int | None) -> Check:
    side = {"right": 40, "share": 0.8, "interval_95": [0.67, 0.89]}
    evidence = {
        "kind": "critical_recall",
        "label": "MEL",
        "reference": side,
        "candidate": side,
        "n": 50,
        "tolerance": {"asked": 0.01, "applied": 0.02, "n": 50, "label": "MEL"},
        "paired": {"only_reference_right": 1, "only_candidate_right": 1, "mcnemar_exact_p": 1.0},
        "difference": {"kind": "score", "value": -0.0125, "interval_95": [-0.0867, 0.0867]},
        "non_inferiority": {
            "kind": "non_inferiority",
            "margin": 0.01,
            "outcome": "inconclusive",
            "power": 0.8,
            "images_if_equal": if_equal,
            "images_if_as_observed": as_observed,
        },
        "strict": True,
    }
    return check(
        evidence,
        outcome=Outcome.inconclusive,
        value=0.0,
        threshold=0.02,
        comparison="<=",
        unit="share",
    )


@pytest.mark.parametrize(
    ("if_equal", "as_observed", "words"),
    [
        (
            *(4530, 9000),
            "about 4,530 images of MEL would decide if the two are equally good, "
            "about 9,000 images of MEL would decide if the difference is the one measured",
        ),
        (40, None, "no number of images of MEL would decide if the difference is the one measured"),
    ],
)
def test_a_strict_check_that_is_open_says_how_many_images_would_decide(
    if_equal: int, as_observed: int | None, words: str
) -> None:
    open_check = strict_recall(if_equal, as_observed)
    text = sentence(open_check)
    assert text.startswith(f"undecided, the 95% interval holds the margin; {words}: MEL recall")
    assert text.endswith(
        "candidate minus reference -1.25, 95% score interval -8.67 to +8.67 points, on both sides "
        "of the margin of 1.00%"
    )
    assert limit(open_check) == "\u2264 1.00% by the whole interval (n = 50 MEL)"
    assert "would decide" not in sentence(open_check.model_copy(update={"outcome": "pass"}))


def test_a_verdict_of_an_earlier_version_has_no_interval_of_its_difference() -> None:
    assert sentence(accuracy(TOLERANCE)).endswith("exact McNemar p = 0.0625")
