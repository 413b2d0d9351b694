"""Show the Keras model's figures by split and its training curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.contract.manifest import ModelManifest
from pipeline.metrics import Metrics
from pipeline.report.plots import CURVE_CLASS, curves
from pipeline.report.run_report import HistoryRow, RunReport
from pipeline.report.wording import amount, plain

_TIMES = " \N{MULTIPLICATION SIGN} "


def context(report: RunReport) -> dict[str, Any] | None:
    """Return facts, tables and curves; None where nothing was trained."""
    if report.model is None and not report.metrics and not report.history:
        return None
    model = report.model
    return {
        "heading": "The trained model",
        "facts": [] if model is None else _facts(model),
        "recorded": []
        if model is None
        else [
            (key.replace("_", " "), plain(value))
            for key, value in model.training.items()
            if key != "calibration"
        ],
        "splits": [_split(name, metrics) for name, metrics in report.metrics.items()],
        "classes": [_classes(name, metrics) for name, metrics in report.metrics.items()],
        "curves": _curves(report.history),
    }


def _facts(model: ModelManifest) -> list[tuple[str, str]]:
    parameters = model.training.get("parameters")
    return [
        ("backbone", f"{model.backbone}, width {model.width:g}"),
        ("input", f"{model.image.width_px}{_TIMES}{model.image.height_px} pixels"),
        *([("parameters", amount(parameters, ""))] if isinstance(parameters, int) else []),
        ("recipe", model.recipe),
        ("weights before training", model.weights),
        ("seed", str(model.seed)),
    ]


def _split(name: str, metrics: Metrics) -> tuple[str, ...]:
    return (
        name,
        str(metrics.images),
        amount(metrics.accuracy, "share"),
        amount(metrics.balanced_accuracy, "share"),
        amount(metrics.auc, ""),
        amount(metrics.calibration_error, "share"),
    )


def _classes(split: str, metrics: Metrics) -> dict[str, Any]:
    return {
        "split": split,
        "rows": [
            (
                one.label,
                str(one.images),
                amount(one.recall, "share"),
                amount(one.precision, "share"),
                amount(one.auc, ""),
            )
            for one in metrics.classes
        ],
        "labels": [one.label for one in metrics.classes],
        "confusion": metrics.confusion,
    }


def _curves(history: Sequence[HistoryRow]) -> list[dict[str, Any]]:
    columns = {name: [_number(row.get(name)) for row in history] for row in history for name in row}
    phases = [str(row.get("phase", "")) for row in history]
    starts = {i: name for i, name in enumerate(phases) if name and name not in phases[:i]}
    drawn = []
    for name in dict.fromkeys(column.removeprefix("val_") for column in columns):
        series = {
            side: columns[column]
            for side, column in (("train", name), ("validation", f"val_{name}"))
            if any(value is not None for value in columns.get(column, ()))
        }
        if name == "epoch" or not series:
            continue
        words = name.replace("_", " ")
        colours: Mapping[str, str] = {CURVE_CLASS[side]: side for side in series}
        drawn.append({"name": words, "drawing": curves(words, series, starts), "colours": colours})
    return drawn


def _number(value: float | str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    # A NaN loss is a gap in the curve, not a point.
    return number if number is not None and math.isfinite(number) else None
