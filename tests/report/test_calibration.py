"""Show a model's calibration in the terminal and on the page."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.calibration import Calibration
from pipeline.report.calibration import (
    CALIBRATION_COLUMNS,
    calibration_rows,
    calibration_table,
    calibration_words,
)
from pipeline.report.html import render_html
from pipeline.report.run_report import RunReport
from pipeline.report.sections.calibration import context
from tests.report.browser.whole_run import whole_run


def trained(folder: Path) -> RunReport:
    from pipeline.contract.manifest import ModelManifest

    manifest = ModelManifest.load(whole_run(folder).model_manifest)
    return RunReport(title="a run", bundles=(), model=manifest)


def found(report: RunReport) -> Calibration:
    assert report.model is not None
    assert report.model.calibration is not None
    return report.model.calibration


def test_the_page_shows_the_error_before_and_after_with_a_drawing_of_each_split(
    tmp_path: Path,
) -> None:
    report = trained(tmp_path)
    shown = context(report)
    assert shown is not None
    assert [one["split"] for one in shown["figures"]] == ["validation", "test"]
    rows = [row[:2] for row in shown["rows"]]
    assert rows == [(s, w) for s in ("validation", "test") for w in ("before", "after")]
    page = render_html(report)
    assert 'id="calibration"' in page
    change = found(report).splits["test"]
    assert f"before {100 * change.before.equal_mass:.1f}%" in page
    assert f"after {100 * change.after.equal_mass:.1f}%" in page
    assert "bins" not in page.split('id="training"')[1].split("</section>")[0]


def test_a_model_that_was_not_calibrated_has_no_such_section(tmp_path: Path) -> None:
    report = trained(tmp_path)
    assert report.model is not None
    plain = report.model.model_copy(update={"training": {"calibration": None}})
    assert context(RunReport(title="a run", bundles=(), model=plain)) is None
    assert context(RunReport(title="a run", bundles=())) is None


def test_the_terminal_has_the_same_values(tmp_path: Path) -> None:
    calibration = found(trained(tmp_path))
    table = calibration_table(calibration)
    assert [column.header for column in table.columns] == [*CALIBRATION_COLUMNS]
    assert table.row_count == len(calibration_rows(calibration)) == 4
    assert "beyond those tried" in calibration_words(calibration)
    best = calibration.model_copy(update={"at_limit": False})
    assert calibration_words(best) == (
        "Temperature 0.5, fitted on 160 images of the validation split"
    )
