"""Lay out one bundle's part of the report: verdict, checks, comparison, file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.contract.manifest import BundleManifest, TensorInfo
from pipeline.contract.verdict import Check, Outcome, Verdict
from pipeline.report.ladder import ladder_section
from pipeline.report.markup import Cell, Markup, cell, element, facts, folded, join, table
from pipeline.report.plots import legend, recall_bars, true_class_scatter
from pipeline.report.run_report import BundleResult
from pipeline.report.wording import (
    NOTHING,
    OUTCOME_WORD,
    amount,
    headline,
    limit,
    measured,
    summary,
    title,
)

_SIDES = ("reference", "candidate")
_MARK = {Outcome.passed: "\u2713", Outcome.failed: "\u2717", Outcome.inconclusive: "?"}
_ARROW = "\N{RIGHTWARDS ARROW}"
_MODEL = "model.tflite"


def anchor(index: int) -> str:
    """Return the id of a bundle's section; a name may hold what an id cannot."""
    return f"bundle-{index}"


def verdict_card(bundle: BundleResult, index: int) -> Markup:
    """Return a bundle's verdict in large words, with what broke it."""
    verdict = bundle.verdict
    word, _, sentence = headline(verdict).partition(": ")
    parts = [
        element("h3", element("a", bundle.name, href=f"#{anchor(index)}")),
        element("p", f"{_MARK[verdict.outcome]} {word}", class_="word"),
        element("p", f"{sentence[:1].upper()}{sentence[1:]}."),
    ]
    broken = verdict.broken()
    if broken:
        parts.append(element("ul", *(element("li", summary(check)) for check in broken)))
    if bundle.published is not None:
        parts.append(element("p", "Published at ", element("code", bundle.published)))
    if bundle.rejected is not None:
        parts.append(
            element("p", "Not published. Kept aside at ", element("code", bundle.rejected))
        )
    return element("article", *parts, class_=f"verdict {verdict.outcome}")


def bundle_section(bundle: BundleResult, index: int) -> Markup:
    """Return everything about one bundle."""
    verdict = bundle.verdict
    figures = verdict.figures
    parts = [element("h2", bundle.name, id=anchor(index))]
    parts += [element("p", note, class_="notice") for note in figures.get("notes", [])]
    parts.append(_tiles(bundle))
    parts.append(_checks(verdict.checks))
    parts.append(_drawings(bundle))
    if "confusion" in figures:
        parts.append(_confusions(figures["confusion"], list(figures["recall"])))
    if "flips" in figures:
        parts.append(_flips(figures["flips"]))
    parts.append(element("h3", "What was compared"))
    parts.append(_compared(verdict))
    if bundle.manifest is not None:
        parts.append(ladder_section(bundle.manifest))
        parts.append(element("h3", "The file"))
        parts.append(_file(bundle.manifest))
    return element("section", *parts, aria_labelledby=anchor(index))


def confusion_table(
    caption: str, confusion: Sequence[Sequence[int]], labels: Sequence[str]
) -> Markup:
    """Return a confusion matrix, rows the true class, shaded by share of the row."""
    rows = []
    for i, (label, counts) in enumerate(zip(labels, confusion, strict=True)):
        total = sum(counts) or 1
        rows.append((label, *(_heat(count, total, i == j) for j, count in enumerate(counts))))
    return table(caption, ("true \\ chosen", *labels), rows, class_="matrix")


def _heat(count: int, total: int, right: bool) -> Cell:
    percent = round(70 * count / total)
    return cell(
        str(count) if count else NOTHING,
        class_="right" if right else None,
        style=f"background:color-mix(in srgb,var(--candidate) {percent}%,transparent)",
    )


def _tiles(bundle: BundleResult) -> Markup:
    figures = bundle.verdict.figures
    tiles: list[tuple[str, str]] = []
    if "accuracy" in figures:
        tiles.append(("accuracy", _change({s: figures["accuracy"][s]["share"] for s in _SIDES})))
    if "balanced_accuracy" in figures:
        tiles.append(("balanced accuracy", _change(figures["balanced_accuracy"])))
    for label, row in figures.get("recall", {}).items():
        if row["critical"]:
            tiles.append((f"{label} recall, {row['images']} images", _change(row)))
    if "top1_agreement" in figures:
        tiles.append(("top-1 agreement", amount(figures["top1_agreement"]["share"], "share")))
    if "latency_ms" in figures:
        p50 = [amount(figures["latency_ms"][s]["p50"], "ms") for s in _SIDES]
        tiles.append(("latency p50, this host", f" {_ARROW} ".join(p50)))
    if bundle.manifest is not None and _MODEL in bundle.manifest.files:
        size = bundle.manifest.files[_MODEL].size_bytes
        tiles.append(("file size", amount(size, "bytes")))
    return element(
        "div",
        *(
            element("div", element("b", value), element("span", name), class_="tile")
            for name, value in tiles
        ),
        class_="tiles",
    )


def _change(values: Mapping[str, Any]) -> str:
    return f" {_ARROW} ".join(
        NOTHING if values[side] is None else f"{100 * values[side]:.1f}%" for side in _SIDES
    )


def _checks(checks: Sequence[Check]) -> Markup:
    if not checks:
        return element("p", "Nothing was checked, and that is a failure.", class_="notice fail")
    rows = [
        (
            title(check),
            element(
                "span",
                f"{_MARK[check.outcome]} {OUTCOME_WORD[check.outcome]}",
                class_=f"outcome {check.outcome}",
            ),
            measured(check),
            limit(check),
            str(check.gate),
            check.evidence,
        )
        for check in checks
    ]
    header = ("Check", "Outcome", "Value", "Asked for", "Gate", "Evidence")
    return table("Checks", header, rows, class_="checks")


def _drawings(bundle: BundleResult) -> Markup:
    recall = bundle.verdict.figures.get("recall")
    drawings = []
    if recall:
        drawings.append(
            element(
                "figure",
                element("figcaption", "Recall by class, percent (images in brackets)"),
                recall_bars(recall),
                legend(reference="reference", candidate="candidate"),
            )
        )
    if recall and bundle.points is not None:
        critical = [label for label, row in recall.items() if row["critical"]]
        names = {"candidate": "other classes"}
        if critical:
            names = {"gated": ", ".join(critical), **names}
        drawings.append(
            element(
                "figure",
                element("figcaption", "Probability of the true class, image by image"),
                true_class_scatter(bundle.points, list(recall), critical),
                legend(**names),
            )
        )
    return element("div", *drawings, class_="figures")


def _confusions(confusion: Mapping[str, Any], labels: Sequence[str]) -> Markup:
    tables = (
        confusion_table(f"Confusion of the {side}, images", confusion[side], labels)
        for side in _SIDES
    )
    return element("div", *tables, class_="figures")


def _flips(flips: Mapping[str, Any]) -> Markup:
    if not flips["examples"]:
        return element("p", "No image flipped to another class.")
    rows = [
        (
            element("code", flip["image_id"][:16]),
            flip["reference"],
            flip["candidate"],
            flip["truth"] or "unknown",
            f"{flip['margin']:.3f}",
        )
        for flip in flips["examples"]
    ]
    header = ("Image SHA-256", "Reference", "Candidate", "Truth", "Margin")
    return folded(
        f"{flips['count']} images flipped; the {len(rows)} the reference was surest about",
        table("Flips by margin: reference's own class minus the candidate's", header, rows),
    )


def _compared(verdict: Verdict) -> Markup:
    keys = {**verdict.reference, **verdict.candidate}
    rows = [
        (
            key.replace("_", " "),
            *(
                element("span", str(side.get(key, NOTHING)), class_="hash")
                for side in (
                    verdict.reference,
                    verdict.candidate,
                )
            ),
        )
        for key in keys
    ]
    latency = verdict.figures.get("latency_ms", {})
    if latency:
        rows += [
            (f"latency {p}", *(element("span", amount(latency[s][p], "ms")) for s in _SIDES))
            for p in ("p50", "p90")
        ]
    difference = verdict.figures.get("probability_difference")
    more = []
    if difference is not None:
        more.append(
            element(
                "p",
                "Largest probability difference of an image: "
                f"{difference['mean']:.4f} on average, {difference['p99']:.4f} at the 99th "
                f"percentile, {difference['largest']:.4f} at most. Tied first places: "
                f"{verdict.figures['ties']['reference']} in the reference, "
                f"{verdict.figures['ties']['candidate']} in the candidate.",
            )
        )
    return join((table("Recordings", ("", "Reference", "Candidate"), rows), *more))


def _file(manifest: BundleManifest) -> Markup:
    entries = [
        ("recipe", manifest.recipe.name),
        *((f"input {t.name}", _tensor(t)) for t in manifest.inputs),
        *((f"output {t.name}", _tensor(t)) for t in manifest.outputs),
        ("oldest runtime", manifest.min_runtime),
        ("license", manifest.license),
        ("seed", str(manifest.seed)),
        ("representative images", str(len(manifest.representative_sha256))),
        (
            "operators",
            ", ".join(f"{name} \u00d7 {count}" for name, count in manifest.operators.items()),
        ),
        *(
            (name, join((amount(f.size_bytes, "bytes"), ", ", element("code", f.sha256))))
            for name, f in manifest.files.items()
        ),
    ]
    return facts(entries)


def _tensor(tensor: TensorInfo) -> str:
    text = f"{tensor.dtype} {list(tensor.shape)}"
    if tensor.scale is None:
        return text
    return f"{text}, real = {tensor.scale:.8g} * (stored - {tensor.zero_point})"
