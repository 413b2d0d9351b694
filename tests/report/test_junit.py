from __future__ import annotations

from xml.etree.ElementTree import Element

from defusedxml import ElementTree
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.report.junit import render_junit
from tests.report.examples import FAILED, OPEN, PASSED, verdict


def parse(text: str) -> Element:
    root: Element = ElementTree.fromstring(text.encode("utf-8"))
    return root


checks = st.lists(
    st.builds(
        Check,
        name=st.text(min_size=1),
        gate=st.sampled_from(Gate),
        outcome=st.sampled_from(Outcome),
        evidence=st.fixed_dictionaries(
            {"kind": st.sampled_from(("text", "accuracy", "other"))}, optional={"text": st.text()}
        ),
        value=st.none() | st.floats(allow_nan=False, allow_infinity=False),
        unit=st.sampled_from(("share", "images", "bytes", "")),
        threshold=st.none() | st.floats(allow_nan=False, allow_infinity=False),
    ),
    max_size=6,
)


@given(st.dictionaries(st.text(min_size=1), checks.map(Verdict.from_checks), max_size=3))
def test_it_parses_and_its_counts_agree_with_the_verdicts(verdicts: dict[str, Verdict]) -> None:
    root = parse(render_junit(verdicts))
    every = [check for one in verdicts.values() for check in one.checks]
    empty = sum(not one.checks for one in verdicts.values()) + (not verdicts)
    outcomes = [check.outcome for check in every]
    assert root.get("tests") == str(len(every) + empty)
    assert len(root.findall(".//testcase")) == len(every) + empty
    failures, errors = root.findall(".//failure"), root.findall(".//error")
    assert root.get("failures") == str(len(failures))
    assert root.get("errors") == str(len(errors))
    assert len(failures) == outcomes.count(Outcome.failed) + empty
    assert len(errors) == outcomes.count(Outcome.inconclusive)
    green = not failures and not errors
    assert green is (bool(verdicts) and all(one.passed for one in verdicts.values()))


def test_each_check_is_one_case_with_its_numbers() -> None:
    root = parse(render_junit({"int8-uint8": verdict(PASSED, FAILED, OPEN)}))
    passed, failed, undecided = root.iter("testcase")
    assert passed.get("classname") == "int8-uint8.numbers"
    assert passed.find("failure") is None
    failure = failed.find("failure")
    assert failure is not None
    assert failure.get("message") == "critical recall drop: MEL: 20.00%, asked for ≤ 1.72%"
    assert failure.text == "expected 44, found 32"
    assert undecided.find("error") is not None


def test_one_verdict_needs_no_name() -> None:
    root = parse(render_junit(verdict(PASSED)))
    assert [suite.get("name") for suite in root] == ["parity"]
    assert root.get("failures") == "0"


def test_nothing_checked_is_red() -> None:
    assert parse(render_junit({})).get("failures") == "1"
    assert parse(render_junit(Verdict.from_checks([]))).get("failures") == "1"


def test_markup_and_control_characters_are_escaped() -> None:
    nasty = FAILED.model_copy(
        update={
            "name": '<a b="&">',
            "evidence": {"kind": "comparison", "expected": "]]>\x00\x1b[31m\ud800", "found": 1},
        }
    )
    case = next(parse(render_junit({"<x>": verdict(nasty)})).iter("testcase"))
    assert case.get("name") == '<a b="&">'
    failure = case.find("failure")
    assert failure is not None
    assert failure.text == "expected ]]>\ufffd\ufffd[31m\ufffd, found 1"
