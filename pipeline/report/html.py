"""Render what a run holds of one model as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pipeline.report.page import render
from pipeline.report.run_report import RunReport
from pipeline.report.sections import AFTER_BUNDLES, BEFORE_BUNDLES, OF_BUNDLE, Context

_Shown = TypeVar("_Shown")


def render_html(report: RunReport) -> str:
    """Return the report as an HTML document.

    Nothing is measured here; every figure comes from the verdicts, metrics and manifests given.

    Raises:
        BadInput: a verdict's figures have another form.
    """
    before, after = _filled(BEFORE_BUNDLES, report), _filled(AFTER_BUNDLES, report)
    return render(
        "run_report.html.j2",
        title=report.title,
        date=report.date,
        pages=report.pages,
        contents=[
            *_headings(before),
            *((f"bundle-{i + 1}", bundle.name) for i, bundle in enumerate(report.bundles)),
            *_headings(after),
        ],
        before=before,
        bundles=[(bundle.name, _filled(OF_BUNDLE, bundle)) for bundle in report.bundles],
        after=after,
    )


def _headings(filled: Sequence[tuple[str, Context]]) -> list[tuple[str, str]]:
    """Return the id and the heading of each section that is in the navigation."""
    return [(name, context["heading"]) for name, context in filled if "heading" in context]


def _filled(
    sections: Mapping[str, Callable[[_Shown], Context | None]], shown: _Shown
) -> list[tuple[str, Context]]:
    """Return the name and the context of each section that has something to show."""
    filled = ((name, context(shown)) for name, context in sections.items())
    return [(name, context) for name, context in filled if context is not None]
