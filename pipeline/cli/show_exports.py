"""Show what became of exports, and end the command with the worst refusal among them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.output import output

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipeline.workflow.exported import Exported
    from pipeline.workflow.report import ReportResult


def finish(
    exported: Sequence[Exported], written: ReportResult, junit: Path | None, markdown: Path | None
) -> None:
    """Show the exports, then end with the worst refusal among them, or with what is not written.

    A file that failed its gate is worse than one whose gate could not be decided.
    """
    from pipeline.cli.verdict_files import report_lines, report_value, write_verdicts
    from pipeline.errors import GateFailed

    verdicts = {one.recipe.name: one.verdict for one in exported}
    problem = write_verdicts(verdicts, junit=junit, markdown=markdown) or written.problem
    refusals = [one.refusal() for one in exported]
    refused = min(
        (refusal for refusal in refusals if refusal is not None),
        key=lambda refusal: not isinstance(refusal, GateFailed),
        default=None,
    )
    value = {"exports": [_value(one) for one in exported], **report_value(written)}
    parts = [part for one in exported for part in _parts(one)]
    output.conclude(value, refused or problem, *parts, *report_lines(written))


def _value(one: Exported) -> dict[str, Any]:
    value: dict[str, Any] = {
        "recipe": one.recipe.name,
        "folder": None if one.folder is None else str(one.folder),
        "published": one.published,
        "resumed": one.resumed,
        "verdict": one.verdict.model_dump(mode="json"),
    }
    if one.manifest is not None:
        entry, recipe = one.manifest.files["model.tflite"], one.manifest.recipe
        value |= {
            "sha256": entry.sha256,
            "size_bytes": entry.size_bytes,
            "min_runtime": one.manifest.min_runtime,
            "steps": [str(step) for step in recipe.steps or ()],
            "float16_layers": list(recipe.float16_layers),
            "search": one.manifest.search.model_dump(mode="json"),
            "decision": one.manifest.decision.model_dump(mode="json"),
            "chosen": None
            if one.manifest.chosen is None
            else one.manifest.chosen.model_dump(mode="json"),
        }
    return value


def _parts(one: Exported) -> list[RenderableType]:
    from rich.text import Text

    from pipeline.report.decision_words import stated_facts
    from pipeline.report.noise_sentences import noise_words, spread_words
    from pipeline.report.sentences import note
    from pipeline.report.terminal import search_table, verdict_table
    from pipeline.report.verdict_figures import figures_of

    search = None if one.manifest is None else search_table(one.manifest, one.recipe.name)
    parts: list[RenderableType] = [] if search is None else [search]
    parts.append(verdict_table(one.verdict, one.recipe.name))
    figures = figures_of(one.verdict)
    if figures.noise is not None:
        parts.append(noise_words(figures.noise))
    if figures.runtime_spread is not None:
        parts.append(spread_words(figures.runtime_spread))
    parts += [Text(note(n), "bold yellow") for n in one.verdict.figures.get("notes", [])]
    if one.manifest is not None:
        parts += [f"{n}: {v}" for n, v in stated_facts(one.manifest.decision, one.manifest.chosen)]
    if one.folder is None:
        parts.append("nothing was built")
    else:
        state = "published" if one.published else "NOT published, kept aside"
        parts.append(f"{state}: {one.folder}")
    return parts
