"""Show an evaluation: the same values in a table, a page and a CSV file."""

from __future__ import annotations

import csv
import io
from html.parser import HTMLParser

from pipeline.contract.evaluation import (
    ClassFigures,
    Difference,
    Estimate,
    Evaluation,
    ModelComparison,
    ModelFigures,
    SubgroupDifference,
    SubgroupFigures,
)
from pipeline.report.evaluation import (
    evaluation_notes,
    evaluation_rows,
    evaluation_tables,
    render_evaluation,
)
from pipeline.report.evaluation_csv import evaluation_csv

LABELS = ("MEL", "N<V>")


def estimate(value: float, images: int = 100) -> Estimate:
    return Estimate(value=value, low=value - 0.05, high=value + 0.05, images=images)


def model(path: str, accuracy: float) -> ModelFigures:
    return ModelFigures(
        model=path,
        model_sha256="a" * 64,
        runtime="litert",
        runtime_version="2.1",
        recording="made",
        latency_ms_p50=1.25,
        accuracy=estimate(accuracy),
        balanced_accuracy=estimate(0.7),
        auc=None,
        calibration_error=estimate(0.1),
        classes=(
            ClassFigures(
                label="MEL",
                images=12,
                critical=True,
                recall=estimate(0.5, 12),
                precision=None,
                auc=None,
            ),
            ClassFigures(
                label="N<V>",
                images=88,
                critical=False,
                recall=estimate(0.9, 88),
                precision=estimate(0.9),
                auc=None,
            ),
        ),
        confusion=((6, 6), (0, 88)),
        subgroups=(
            SubgroupFigures(
                attribute="age_band",
                value="under 30",
                images=9,
                decidable=False,
                accuracy=estimate(0.6, 9),
                balanced_accuracy=estimate(0.6, 9),
                recall={"MEL": estimate(0.5, 2)},
                undecidable_recall=("MEL",),
            ),
        ),
    )


def evaluation() -> Evaluation:
    difference = Difference(value=-0.02, low=-0.06, high=0.02, p=0.5)
    return Evaluation(
        data="photos",
        dataset_sha256="d" * 64,
        split="all",
        images=100,
        labels=LABELS,
        min_images=50,
        min_class_images=20,
        resamples=2000,
        seed=0,
        without_attributes=91,
        trained_on=70,
        models=(model("runs/a/bundle", 0.8), model("runs/b/bundle", 0.78)),
        comparisons=(
            ModelComparison(
                first="runs/a/bundle",
                second="runs/b/bundle",
                agreement=estimate(0.9),
                accuracy=difference,
                balanced_accuracy=Difference(value=-0.01, low=-0.1, high=0.1),
                auc=None,
                calibration_error=Difference(value=0.0, low=-0.1, high=0.1),
                recall={"MEL": difference},
                subgroups=(
                    SubgroupDifference(
                        attribute="age_band",
                        value="under 30",
                        images=9,
                        decidable=False,
                        accuracy=difference,
                    ),
                ),
            ),
        ),
    )


def test_tables_hold_every_figure_under_names_that_part_the_models() -> None:
    overview, classes, subgroups, differences = evaluation_rows(evaluation())
    assert overview.header == ("figure", "a/bundle", "b/bundle")
    assert overview.rows[0] == ("accuracy", "0.800 [0.750, 0.850]", "0.780 [0.730, 0.830]")
    assert classes.rows[0][:3] == ("MEL !*", "12", "a/bundle")
    assert subgroups.rows[0][:4] == ("age: under 30*", "9", "a/bundle", "0.600 [0.550, 0.650]")
    assert subgroups.rows[0][-1] == "0.500 [0.450, 0.550]*"
    assert ("accuracy", "-0.020 [-0.060, +0.020]", "0.500") in differences.rows
    assert ("accuracy, age: under 30*", "-0.020 [-0.060, +0.020]", "0.500") in differences.rows
    assert not any(name.startswith("AUC") for name, *_ in differences.rows)


def test_notes_name_what_decides_nothing_and_what_was_trained_on() -> None:
    text = " ".join(evaluation_notes(evaluation()))
    for words in ("age under 30 (9)", "MEL (12)", "70 of the 100 images", "no subgroup is known"):
        assert words in text


def test_a_terminal_shows_the_confusion_too() -> None:
    titles = [str(table.title) for table in evaluation_tables(evaluation())]
    assert titles[-1] == "Images by true and chosen class: b/bundle"
    assert len(titles) == 6


def test_the_csv_has_a_line_a_figure() -> None:
    rows = list(csv.DictReader(io.StringIO(evaluation_csv(evaluation()))))
    (accuracy,) = (
        row
        for row in rows
        if row["model"] == "runs/b/bundle" and (row["figure"], row["subgroup"]) == ("accuracy", "")
    )
    assert {**accuracy, "images": int(accuracy["images"])} == {
        "model": "runs/b/bundle",
        "compared_with": "",
        "subgroup": "",
        "class": "",
        "figure": "accuracy",
        "images": 100,
        "value": "0.78",
        "low_95": str(0.78 - 0.05),
        "high_95": str(0.78 + 0.05),
        "p": "",
        "decidable": "",
    }
    few = [row for row in rows if row["subgroup"] == "age_band=under 30"]
    assert len(few) == 7
    assert {row["decidable"] for row in few} == {"false"}
    recall = [row for row in rows if row["figure"] == "recall_difference"]
    assert [(row["compared_with"], row["class"], row["p"]) for row in recall] == [
        ("runs/a/bundle", "MEL", "0.5")
    ]


def test_the_page_escapes_names_and_has_every_table() -> None:
    class Captions(HTMLParser):
        count = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            del attrs
            self.count += tag == "caption"

    text = render_evaluation(evaluation())
    parser = Captions()
    parser.feed(text)
    assert parser.count == 6
    assert "N&lt;V&gt;" in text
    assert "N<V>" not in text
    assert "<script" not in text
