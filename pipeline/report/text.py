"""Render a verdict as Markdown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pipeline.contract.manifest import NOTICE
from pipeline.contract.verdict import Verdict
from pipeline.report.wording import (
    NOTHING,
    OUTCOME_WORD,
    amount,
    headline,
    limit,
    measured,
    title,
)

_ORIGIN = {
    "runtime": "Runtime",
    "runtime_version": "Runtime version",
    "model_sha256": "Model SHA-256",
    "recording_sha256": "Recording SHA-256",
}


def render_markdown(verdict: Verdict, *, name: str = "Parity") -> str:
    """Return a verdict as a Markdown document that ends with a newline.

    Args:
        verdict: what to show; nothing in it is computed anew.
        name: the heading, normally the bundle's name.
    """
    lines = [f"# {_escape(name)}: {verdict.outcome}", "", f"**{headline(verdict)}.**", ""]
    for check in verdict.broken():
        lines.append(
            f"- **{OUTCOME_WORD[check.outcome]}: {_escape(title(check))}.** "
            f"{_escape(check.evidence)}"
        )
    if verdict.broken():
        lines.append("")
    lines += _table(
        ("Gate", "Check", "Value", "Threshold", "Outcome"),
        [
            (
                str(check.gate),
                title(check),
                measured(check),
                limit(check),
                OUTCOME_WORD[check.outcome],
            )
            for check in verdict.checks
        ],
    )
    lines += _sides(verdict)
    lines += _recall(verdict.figures.get("recall", {}))
    lines += [f"> {_escape(note)}\n" for note in verdict.figures.get("notes", [])]
    lines.append(f"*{NOTICE}*")
    return "\n".join(lines) + "\n"


def _sides(verdict: Verdict) -> list[str]:
    sides = {"reference": verdict.reference, "candidate": verdict.candidate}
    rows = [
        (what, *(str(facts.get(key, NOTHING)) for facts in sides.values()))
        for key, what in _ORIGIN.items()
        if any(key in facts for facts in sides.values())
    ]
    if accuracy := verdict.figures.get("accuracy"):
        rows.append(("Accuracy", *(amount(accuracy[side]["share"], "share") for side in sides)))
    if balanced := verdict.figures.get("balanced_accuracy"):
        rows.append(("Balanced accuracy", *(amount(balanced[side], "share") for side in sides)))
    if latency := verdict.figures.get("latency_ms"):
        rows.append(("Latency p50", *(amount(latency[side]["p50"], "ms") for side in sides)))
    return _table(("", "Reference", "Candidate"), rows) if rows else []


def _recall(recall: dict[str, Any]) -> list[str]:
    if not recall:
        return []
    rows = [
        (
            f"{label} (critical)" if row["critical"] else label,
            str(row["images"]),
            amount(row["reference"], "share"),
            amount(row["candidate"], "share"),
        )
        for label, row in recall.items()
    ]
    return _table(("Recall of", "Images", "Reference", "Candidate"), rows)


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    body = ["| " + " | ".join(_escape(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *body, ""]


def _escape(text: str) -> str:
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", one_line)
