from __future__ import annotations

import dataclasses

import pytest

from pipeline.report.run_report import BundleResult, RecallIntervals, RunReport
from pipeline.report.sections.side_by_side import Cell, Row, context, interval_words
from tests.report.examples import FAILED, OPEN, PASSED, verdict

INTERVALS = {"MEL": RecallIntervals((0.64, 0.85), (0.43, 0.68))}


def rows(*bundles: BundleResult) -> dict[str, Row]:
    return {row.name: row for row in context(RunReport("Run", bundles))["rows"]}


def test_each_outcome_is_said_first_with_its_bundles() -> None:
    bundles = (
        BundleResult("float16", verdict(PASSED)),
        BundleResult("int8", verdict(PASSED, FAILED)),
        BundleResult("dynamic", verdict(OPEN)),
        BundleResult("float32", verdict(PASSED)),
    )
    assert context(RunReport("Run", bundles))["conclusion"] == [
        ("pass", "✓ Proven", "float16, float32"),
        ("inconclusive", "? Undecided, not published", "dynamic"),
        ("fail", "✗ Failed, not published", "int8"),
    ]
    columns = context(RunReport("Run", bundles))["columns"]
    assert [column["detail"] for column in columns] == [
        "1 of 1 check",
        "1 of 2 checks",
        "0 of 1 check",
        "1 of 1 check",
    ]


def test_a_critical_recall_has_both_sides_with_their_intervals() -> None:
    row = rows(BundleResult("int8", verdict(PASSED), recall_intervals=INTERVALS))["MEL recall"]
    assert row.detail == "critical, 58 images"
    assert row.keras == Cell("76.0%", "64.0 to 85.0")
    assert row.cells == (Cell("56.0%", "43.0 to 68.0"),)


def test_only_critical_classes_have_a_row() -> None:
    assert "NV recall" not in rows(BundleResult("int8", verdict(PASSED)))


def test_accuracy_and_agreement_are_shown_with_what_the_verdict_recorded() -> None:
    one = verdict(PASSED)
    figures = one.figures | {
        "images": 379,
        "split": "validation",
        "accuracy": {
            "reference": {"share": 0.88, "wilson_95": [0.84, 0.91]},
            "candidate": {"share": 0.85},
        },
        "top1_agreement": {"share": 0.95, "wilson_95": [0.92, 0.97]},
        "flips": {"count": 19, "examples": []},
    }
    found = rows(BundleResult("int8", one.model_copy(update={"figures": figures})))
    assert found["Accuracy"] == Row(
        "Accuracy", "379 validation images", Cell("88.0%", "84.0 to 91.0"), (Cell("85.0%"),)
    )
    assert found["Agreement with Keras"].cells == (
        Cell("95.0%", "92.0 to 97.0, 19 images flipped"),
    )


def test_what_nothing_measured_has_no_row() -> None:
    assert set(rows(BundleResult("int8", verdict(PASSED)))) == {"Accuracy", "MEL recall"}


def test_bundles_judged_by_different_recordings_name_keras_in_each_cell() -> None:
    other = verdict(PASSED).model_copy(update={"reference": {"recording_sha256": "c" * 64}})
    found = rows(BundleResult("a", verdict(PASSED)), BundleResult("b", other))
    assert found["Accuracy"].keras is None
    assert found["Accuracy"].cells == (Cell("85.0%", "Keras 88.0%"),) * 2
    shown = context(RunReport("Run", (BundleResult("a", other), BundleResult("b", other))))
    assert shown["keras"]


def test_no_bundle_has_no_row() -> None:
    assert context(dataclasses.replace(RunReport("Run", ())))["rows"] == []


@pytest.mark.parametrize(
    ("interval", "words"),
    [(None, ""), ((0.0, 1.0), "0.0 to 100.0"), ((0.123, 0.4), "12.3 to 40.0")],
)
def test_an_interval_is_in_percent(interval: tuple[float, float] | None, words: str) -> None:
    assert interval_words(interval) == words
