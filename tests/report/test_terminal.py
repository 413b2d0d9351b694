"""Tables of the terminal show the same values as the pages."""

from __future__ import annotations

import pytest
from rich.console import Console, RenderableType

from pipeline.contract.decision import Decision
from pipeline.metrics import Metrics
from pipeline.parity.judge import judge_recordings
from pipeline.parity.paired import PairedShares
from pipeline.parity.thresholds import Thresholds
from pipeline.report.terminal import (
    dataset_table,
    layer_table,
    metrics_table,
    predictions_table,
    search_table,
    verdict_table,
)
from tests.parity.recordings import pair
from tests.report.examples import FAILED, OPEN, PASSED, verdict
from tests.report.test_debug_page import layer, report
from tests.report.test_html import full_report
from tests.report.test_search import NO_SEARCH, SEARCH, manifest
from tests.report.test_sentences import TOLERANCE, accuracy


def rows(table: RenderableType, width: int = 200) -> list[list[str]]:
    """Return the cells of each line of a table, as a terminal shows it."""
    console = Console(width=width, markup=False)
    with console.capture() as captured:
        console.print(table)
    lines = captured.get().splitlines()
    return [[cell.strip() for cell in line.strip("\u2502").split("\u2502")] for line in lines]


def test_a_gate_that_passed_is_one_line_and_the_task_gate_is_shown_check_by_check() -> None:
    shown = rows(verdict_table(verdict(PASSED, PASSED, FAILED, OPEN), "int8[x]"))
    assert shown[0][0] == "int8[x]: Failed: 1 of 4 checks failed, 1 could not be decided"
    assert ["numbers", "all 2 checks", "pass", "", "", "", "", ""] in shown
    limit = "\u2264 1.72%"
    assert ["task", "critical recall drop: MEL", "fail", "", "20.00%", "", limit, limit] in shown
    nothing = ["\u2013", "", "\u2013", "\u2013"]
    assert ["task", "accuracy difference", "inconclusive", "", *nothing] in shown


def test_a_tolerance_is_shown_as_asked_and_applied() -> None:
    shown = rows(verdict_table(verdict(accuracy(TOLERANCE, gained=1)), "x"))
    assert [
        *("task", "x", "pass", "50", "2.00%", ""),
        *("\u2264 1.00%", "\u2264 2.00%, one image"),
    ] in shown


@pytest.mark.parametrize("strict", [False, True])
def test_each_task_check_shows_n_its_interval_and_what_was_applied(strict: bool) -> None:
    truth = [0] * 50 + [1, 2] * 125
    candidate = [1, *truth[1:]]
    judged = judge_recordings(
        *pair(truth, truth, candidate), Thresholds(strict=strict), critical=("MEL",)
    )
    shown = {row[1]: row[2:] for row in rows(verdict_table(judged, "x")) if row[0] == "task"}
    low, high = (f"{100 * bound:+.2f}" for bound in PairedShares(50, 1, 0).interval_95())
    assert shown["critical recall drop: MEL"] == [
        "inconclusive" if strict else "pass",
        *("50", "2.00%", f"{low} to {high}", "\u2264 1.00%"),
        "\u2264 1.00%, whole interval" if strict else "\u2264 2.00%, one image",
    ]
    assert shown["top1 agreement"][1:4] == ["300", "99.67%", "98.14% to 99.94%"]
    assert "percentage points" in str(verdict_table(judged, "x").caption)


def test_a_search_is_a_row_a_trial() -> None:
    table = search_table(manifest(SEARCH), "int8")
    assert table is not None
    shown = rows(table)
    assert shown[0][0] == "int8: int8 repair: what was tried"
    missed = "does not meet the target: agreement, mean difference"
    assert ["plain int8", "90.00%", "0.1000", "10.0 ms", missed] in shown
    assert shown[-2][0] == "+ 2 layers in float16"
    assert shown[-2][-1] == "meets the target, chosen"
    assert search_table(manifest(NO_SEARCH), "int8") is None


@pytest.mark.parametrize(("width", "columns"), [(100, 8), (200, 14)])
def test_a_narrow_terminal_leaves_out_the_weights(width: int, columns: int) -> None:
    table = layer_table(report(layer("net/a/x", 3.0), layer("net/b/x", 1.0)), 1, width=width)
    assert len(table.columns) == columns
    assert table.row_count == 1


def test_images_are_counted_by_class_and_split() -> None:
    dataset = full_report().dataset
    assert dataset is not None
    shown = rows(dataset_table(dataset))
    assert ["MEL", "1", "1", "1"] in shown
    assert ["all", "3", "3", "3"] in shown


def test_a_models_figures_are_a_row_a_split() -> None:
    metrics: dict[str, Metrics] = dict(full_report().metrics)
    assert ["validation", "4", "0.750", "0.750", "1.000", "0.300"] in rows(metrics_table(metrics))


SHARES = {"MEL": 0.25, "NV": 0.75}


def test_probabilities_are_a_row_an_image_where_there_is_room() -> None:
    decision = Decision()
    answers = [("a[b].jpg", decision.read(SHARES), SHARES)]
    assert ["a[b].jpg", "NV", "0.250", "0.750"] in rows(
        predictions_table("model", answers, Console(width=80), decision)
    )
    tall = rows(predictions_table("model", answers, Console(width=24), decision), width=60)
    assert ["a[b].jpg", "MEL", "0.250"] in tall
    assert ["", "NV (predicted)", "0.750"] in tall


def test_an_answer_is_shown_as_its_bundle_wants_it_read() -> None:
    decision = Decision(unsure_below=0.8, thresholds={"MEL": 0.2})
    answers = [("a.jpg", decision.read(SHARES), SHARES)]
    wide = predictions_table("model", answers, Console(width=90), decision)
    assert ["a.jpg", "unsure (NV); over threshold: MEL", "0.250", "0.750"] in rows(wide, width=90)
    assert "unsure: where no class reaches 0.8" in str(wide.caption)
    tall = rows(predictions_table("model", answers, Console(width=24), decision), width=60)
    assert ["a.jpg", "MEL (over threshold)", "0.250"] in tall
    assert ["", "NV (unsure)", "0.750"] in tall
