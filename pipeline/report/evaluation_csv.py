"""Write every figure of an evaluation as comma-separated values, a line a figure."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from pipeline.contract.evaluation import (
    Difference,
    Estimate,
    Evaluation,
    ModelComparison,
    ModelFigures,
)

_COLUMNS = (
    "model",
    "compared_with",
    "subgroup",
    "class",
    "figure",
    "images",
    "value",
    "low_95",
    "high_95",
    "p",
    "decidable",
)


def evaluation_csv(found: Evaluation) -> str:
    """Return every figure as a line of comma-separated values, under a header."""
    text = io.StringIO()
    writer = csv.DictWriter(text, _COLUMNS, lineterminator="\n", restval="")
    writer.writeheader()
    for model in found.models:
        for cells, value in _figures_of(found, model):
            writer.writerow({"model": model.model, **cells, **_numbers(value)})
    for one in found.comparisons:
        for cells, difference in _differences_of(one):
            sides = {"model": one.second, "compared_with": one.first}
            writer.writerow({**sides, **cells, **_numbers(difference)})
    return text.getvalue()


def _figures_of(
    found: Evaluation, one: ModelFigures
) -> Iterator[tuple[dict[str, str], Estimate | None]]:
    yield {"figure": "accuracy"}, one.accuracy
    yield {"figure": "balanced_accuracy"}, one.balanced_accuracy
    yield {"figure": "auc"}, one.auc
    yield {"figure": "calibration_error"}, one.calibration_error
    for each in one.classes:
        decidable = str(each.images >= found.min_class_images).lower()
        cells = {"class": each.label, "decidable": decidable}
        yield {**cells, "figure": "recall"}, each.recall
        yield {**cells, "figure": "precision"}, each.precision
        yield {**cells, "figure": "auc"}, each.auc
    for group in one.subgroups:
        named = {"subgroup": f"{group.attribute}={group.value}"}
        decidable = str(group.decidable).lower()
        yield {**named, "figure": "accuracy", "decidable": decidable}, group.accuracy
        cells = {**named, "figure": "balanced_accuracy", "decidable": decidable}
        yield cells, group.balanced_accuracy
        for label, recall in group.recall.items():
            decidable = str(label not in group.undecidable_recall).lower()
            cells = {**named, "class": label, "figure": "recall", "decidable": decidable}
            yield cells, recall


def _differences_of(one: ModelComparison) -> Iterator[tuple[dict[str, str], Difference | None]]:
    for figure in ("accuracy", "balanced_accuracy", "auc", "calibration_error"):
        yield {"figure": f"{figure}_difference"}, getattr(one, figure)
    for label, difference in one.recall.items():
        yield {"class": label, "figure": "recall_difference"}, difference
    for group in one.subgroups:
        cells = {
            "subgroup": f"{group.attribute}={group.value}",
            "figure": "accuracy_difference",
            "decidable": str(group.decidable).lower(),
        }
        yield cells, group.accuracy


def _numbers(value: Estimate | Difference | None) -> dict[str, float | int]:
    if value is None:
        return {}
    numbers = {"value": value.value, "low_95": value.low, "high_95": value.high}
    if isinstance(value, Estimate):
        return {**numbers, "images": value.images}
    return numbers if value.p is None else {**numbers, "p": value.p}
