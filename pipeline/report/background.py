"""Lay out what the proof rests on: training, dataset, hashes and versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from pipeline.contract.dataset import DatasetManifest, Finding, Split
from pipeline.contract.manifest import Manifest
from pipeline.metrics import Metrics
from pipeline.report.markup import Markup, element, facts, folded, join, table
from pipeline.report.plots import CURVE_CLASS, curves, legend
from pipeline.report.proof import confusion_table
from pipeline.report.run_report import HistoryRow, RunReport
from pipeline.report.wording import amount


def training_section(report: RunReport) -> Markup:
    """Return the Keras model's figures by split and its training curves."""
    parts = [element("h2", "The trained model", id="training")]
    if report.model is not None:
        parts.append(
            facts(
                [
                    ("recipe", report.model.recipe),
                    ("width", f"{report.model.width:g}"),
                    ("weights", report.model.weights),
                    ("seed", str(report.model.seed)),
                    *((key.replace("_", " "), str(v)) for key, v in report.model.training.items()),
                ]
            )
        )
    if report.metrics:
        parts.append(_splits(report.metrics))
        parts += [_classes(split, metrics) for split, metrics in report.metrics.items()]
    if report.history:
        parts.append(_history(report.history))
    return element("section", *parts, aria_labelledby="training")


def dataset_section(dataset: DatasetManifest) -> Markup:
    """Return the number of images by class and split, and what the checks found."""
    counts = Counter((image.label, image.split) for image in dataset.images)
    labels, splits = dataset.labels, tuple(Split)
    rows = [
        (
            f"{label}, {labels.full_name(label)}" if label in labels.full_names else label,
            *(str(counts[label, split]) for split in splits),
            str(sum(counts[label, split] for split in splits)),
        )
        for label in labels.names
    ]
    totals = [sum(counts[label, split] for label in labels.names) for split in splits]
    rows.append(("all", *map(str, totals), str(sum(totals))))
    groups = len({image.group for image in dataset.images})
    parts = [
        element("h2", "The images", id="dataset"),
        element(
            "p",
            f"{len(dataset.images)} images in {groups} groups, layout {dataset.layout}, "
            f"license {dataset.license}. No group is in two splits.",
        ),
        table("Images by class and split", ("Class", *splits, "all"), rows, class_="numbers"),
        _findings("Findings", dataset.findings),
        _findings("Skipped", dataset.skipped),
    ]
    return element("section", *parts, aria_labelledby="dataset")


def reproduction_section(report: RunReport) -> Markup:
    """Return the hashes, versions and seeds that make the run again."""
    parts = [element("h2", "To make it again", id="reproduction")]
    if report.dataset is not None:
        parts.append(
            facts(
                [
                    ("dataset digest", element("code", report.dataset.digest())),
                    ("split seed", str(report.dataset.seed)),
                    ("fractions", " / ".join(f"{f:g}" for f in report.dataset.fractions)),
                ]
            )
        )
    if report.model is not None:
        parts.append(_origin("Model", report.model))
    parts += [_origin(b.name, b.manifest) for b in report.bundles if b.manifest is not None]
    return element("section", *parts, aria_labelledby="reproduction")


def _splits(metrics: Mapping[str, Metrics]) -> Markup:
    rows = [
        (
            split,
            str(figures.images),
            amount(figures.accuracy, "share"),
            amount(figures.balanced_accuracy, "share"),
            amount(figures.auc, ""),
            amount(figures.calibration_error, ""),
        )
        for split, figures in metrics.items()
    ]
    header = ("Split", "Images", "Accuracy", "Balanced accuracy", "AUC", "Calibration error")
    return table("Keras model by split", header, rows, class_="numbers")


def _classes(split: str, metrics: Metrics) -> Markup:
    rows = [
        (
            one.label,
            str(one.images),
            amount(one.recall, "share"),
            amount(one.precision, "share"),
            amount(one.auc, ""),
        )
        for one in metrics.classes
    ]
    labels = [one.label for one in metrics.classes]
    header = ("Class", "Images", "Recall", "Precision", "AUC")
    return folded(
        f"Classes of the {split} split",
        table(f"Classes, {split}", header, rows, class_="numbers"),
        confusion_table(f"Confusion, {split}, images", metrics.confusion, labels),
    )


def _history(history: Sequence[HistoryRow]) -> Markup:
    columns = {name: [_number(row.get(name)) for row in history] for row in history for name in row}
    phases = [str(row.get("phase", "")) for row in history]
    starts = {i: name for i, name in enumerate(phases) if name and name not in phases[:i]}
    drawings = []
    for name in dict.fromkeys(column.removeprefix("val_") for column in columns):
        series = {
            side: columns[column]
            for side, column in (("train", name), ("validation", f"val_{name}"))
            if any(value is not None for value in columns.get(column, ()))
        }
        if name == "epoch" or not series:
            continue
        words = name.replace("_", " ")
        shown = legend(**{CURVE_CLASS[side]: side for side in series})
        drawing = curves(words, series, starts)
        drawings.append(element("figure", element("figcaption", words), drawing, shown))
    return join((element("h3", "Training"), element("div", *drawings, class_="figures")))


def _number(value: float | str | None) -> float | None:
    try:
        number = float(value) if value is not None else None
    except ValueError:
        return None
    # A NaN loss is a gap in the curve, not a point.
    return number if number is not None and abs(number) < float("inf") else None


def _findings(title: str, findings: Sequence[Finding]) -> Markup:
    if not findings:
        return element("p", f"{title}: none.", class_="quiet")
    rows = [(f.kind, str(f.count), f.message, ", ".join(f.examples)) for f in findings]
    return table(title, ("Kind", "Images", "What", "First few"), rows)


def _origin(name: str, manifest: Manifest) -> Markup:
    return folded(
        name,
        facts(
            [
                ("manifest digest", element("code", manifest.digest())),
                ("image contract", element("code", manifest.image.digest())),
                *((f"from {role}", element("code", sha)) for role, sha in manifest.parents.items()),
                ("seed", str(manifest.seed)),
                ("pipeline", manifest.tool_version),
                *manifest.versions.items(),
            ]
        ),
    )
