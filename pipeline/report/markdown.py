"""Render verdicts as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pipeline.contract.manifest import NOTICE
from pipeline.contract.verdict import Verdict
from pipeline.report.sentences import note, sentence
from pipeline.report.verdict_figures import Recall, VerdictFigures, figures_of
from pipeline.report.wording import (
    OUTCOME_WORD,
    amount,
    asked_for,
    headline,
    measured,
    plain,
    title,
)

_ORIGIN = {
    "runtime": "Runtime",
    "runtime_version": "Runtime version",
    "model_sha256": "Model SHA-256",
    "recording_sha256": "Recording SHA-256",
}


def render_markdown(verdicts: Mapping[str, Verdict]) -> str:
    """Return verdicts by name as one Markdown document that ends with a newline.

    Raises:
        BadInput: a verdict's figures have another form.
    """
    lines: list[str] = []
    for name, verdict in verdicts.items():
        lines += _verdict(name, verdict)
    lines.append(f"*{NOTICE}*")
    return "\n".join(lines) + "\n"


def _verdict(name: str, verdict: Verdict) -> list[str]:
    figures = figures_of(verdict)
    lines = [f"# {escape_markdown(name)}: {verdict.outcome}", "", f"**{headline(verdict)}.**", ""]
    for check in verdict.broken():
        lines.append(
            f"- **{OUTCOME_WORD[check.outcome]}: {escape_markdown(title(check))}.** "
            f"{escape_markdown(sentence(check))}"
        )
    if verdict.broken():
        lines.append("")
    rows = [
        (
            str(check.gate),
            title(check),
            measured(check),
            asked_for(check),
            OUTCOME_WORD[check.outcome],
        )
        for check in verdict.checks
    ]
    lines += _table(("Gate", "Check", "Value", "Asked for", "Outcome"), rows)
    lines += _sides(verdict, figures)
    lines += _recall(figures.recall)
    lines += [f"> {escape_markdown(note(data))}\n" for data in figures.notes]
    return lines


def _sides(verdict: Verdict, figures: VerdictFigures) -> list[str]:
    sides = (verdict.reference, verdict.candidate)
    rows = [
        (what, *(plain(facts.get(key)) for facts in sides))
        for key, what in _ORIGIN.items()
        if any(key in facts for facts in sides)
    ]
    if accuracy := figures.accuracy:
        shares = (accuracy.reference.share, accuracy.candidate.share)
        rows.append(("Accuracy", *(amount(share, "share") for share in shares)))
    if balanced := figures.balanced_accuracy:
        shares_or_none = (balanced.reference, balanced.candidate)
        rows.append(("Balanced accuracy", *(amount(share, "share") for share in shares_or_none)))
    if latency := figures.latency_ms:
        p50 = (latency.reference.p50, latency.candidate.p50)
        rows.append(("Latency p50", *(amount(value, "ms") for value in p50)))
    return _table(("", "Reference", "Candidate"), rows) if rows else []


def _recall(recall: Mapping[str, Recall]) -> list[str]:
    rows = [
        (
            f"{label} (critical)" if row.critical else label,
            str(row.images),
            amount(row.reference, "share"),
            amount(row.candidate, "share"),
        )
        for label, row in recall.items()
    ]
    return _table(("Recall of", "Images", "Reference", "Candidate"), rows) if rows else []


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    body = ["| " + " | ".join(escape_markdown(cell) for cell in row) + " |" for row in rows]
    return ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header), *body, ""]


def escape_markdown(text: str) -> str:
    """Return text as one line that Markdown shows as it is."""
    one_line = " ".join(text.split())
    return re.sub(r"([\\`*_{}\[\]<>|#~])", r"\\\1", one_line)
