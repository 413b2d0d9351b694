"""Render a run as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
    return render(
        "run_report.html.j2",
        title=report.title,
        before=_filled(BEFORE_BUNDLES, report),
        bundles=[(bundle.name, _filled(OF_BUNDLE, bundle)) for bundle in report.bundles],
        after=_filled(AFTER_BUNDLES, report),
    )


def _filled(
    sections: Mapping[str, Callable[[_Shown], Context | None]], shown: _Shown
) -> list[tuple[str, Context]]:
    """Return the template and the context of each section that has something to show."""
    filled = ((f"{name}.html.j2", context(shown)) for name, context in sections.items())
    return [(template, context) for template, context in filled if context is not None]
