"""Show the number of images by class and split, and what the checks of the dataset found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from pipeline.contract.dataset import Finding, Split
from pipeline.report.run_report import RunReport
from pipeline.report.wording import joined


def context(report: RunReport) -> dict[str, Any] | None:
    """Return the counts and the findings; None where there is no dataset."""
    dataset = report.dataset
    if dataset is None:
        return None
    counts = Counter((image.label, image.split) for image in dataset.images)
    labels, splits = dataset.labels, tuple(Split)
    rows = []
    for label in labels.names:
        known = label in labels.full_names
        by_split = [counts[label, split] for split in splits]
        named = f"{label}, {labels.full_name(label)}" if known else label
        rows.append((named, *map(str, by_split), str(sum(by_split))))
    if dataset.unlabelled:
        rows = [
            (
                "without a label",
                *(str(counts[None, split]) for split in splits),
                str(len(dataset.images)),
            )
        ]
    totals = [len(dataset.of(split)) for split in splits]
    rows.append(("all", *map(str, totals), str(sum(totals))))
    return {
        "images": len(dataset.images),
        "groups": len({image.group for image in dataset.images}),
        "layout": dataset.layout,
        "license": dataset.license,
        "header": ("Class", *map(str, splits), "all"),
        "rows": rows,
        "heading": "The images",
        "images_named": report.images,
        "found": {
            name: _rows(found, report.images)
            for name, found in (("Findings", dataset.findings), ("Skipped", dataset.skipped))
        },
    }


def _rows(findings: Sequence[Finding], images: bool) -> list[tuple[str, ...]]:
    """Return a row a finding; the examples are names of files, shown only where asked for."""
    return [
        (
            one.kind.replace("_", " "),
            str(one.count),
            one.message,
            *([joined(one.examples)] if images else []),
        )
        for one in findings
    ]
