"""Render verdicts as JUnit XML, so that any CI shows the checks one by one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.etree import ElementTree

from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.report.sentences import sentence, summary
from pipeline.report.wording import headline, plain

# What XML 1.0 cannot hold, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render_junit(verdicts: Verdict | Mapping[str, Verdict], *, name: str = "parity") -> str:
    """Return one test suite for each verdict and one test case for each check.

    A failed check is a failure. An inconclusive one is an error, since a skipped test would
    count as green. A verdict without checks, or no verdict at all, is one failure.

    Args:
        verdicts: one verdict, or verdicts by bundle name.
        name: the name of the whole, and of a single verdict.
    """
    named = {name: verdicts} if isinstance(verdicts, Verdict) else dict(verdicts)
    root = ElementTree.Element("testsuites", name=_clean(name))
    for suite_name, verdict in named.items():
        root.append(_suite(suite_name, verdict))
    if not named:
        root.append(_suite(name, Verdict.from_checks([])))
    for count in ("tests", "failures", "errors"):
        root.set(count, str(sum(int(suite.get(count, "0")) for suite in root)))
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(name: str, verdict: Verdict) -> ElementTree.Element:
    outcomes = [check.outcome for check in verdict.checks]
    suite = ElementTree.Element(
        "testsuite",
        name=_clean(name),
        tests=str(max(1, len(outcomes))),
        failures=str(outcomes.count(Outcome.failed) if outcomes else 1),
        errors=str(outcomes.count(Outcome.inconclusive)),
        skipped="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    facts = {"outcome": str(verdict.outcome)}
    for side, values in (("reference", verdict.reference), ("candidate", verdict.candidate)):
        facts |= {f"{side}.{key}": plain(value) for key, value in values.items()}
    for key, value in facts.items():
        ElementTree.SubElement(properties, "property", name=_clean(key), value=_clean(value))
    for check in verdict.checks:
        _case(suite, name, check)
    if not verdict.checks:
        case = ElementTree.SubElement(suite, "testcase", classname=_clean(name), name="checks")
        ElementTree.SubElement(case, "failure", type="fail", message=headline(verdict))
    return suite


def _case(suite: ElementTree.Element, name: str, check: Check) -> None:
    case = ElementTree.SubElement(
        suite, "testcase", classname=_clean(f"{name}.{check.gate}"), name=_clean(check.name)
    )
    if check.outcome is Outcome.passed:
        ElementTree.SubElement(case, "system-out").text = _clean(sentence(check))
        return
    problem = ElementTree.SubElement(
        case,
        "failure" if check.outcome is Outcome.failed else "error",
        type=str(check.outcome),
        message=_clean(summary(check)),
    )
    problem.text = _clean(sentence(check))


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
