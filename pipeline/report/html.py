"""Render a run as one self-contained HTML page."""

from __future__ import annotations

from importlib.resources import files

from pipeline.contract.manifest import NOTICE
from pipeline.report.background import dataset_section, reproduction_section, training_section
from pipeline.report.markup import Markup, element, join
from pipeline.report.proof import bundle_section, verdict_card
from pipeline.report.run_report import RunReport

# The page fetches nothing and runs nothing, and the browser is told to hold it to that.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render_html(report: RunReport) -> str:
    """Return the report as an HTML document in UTF-8: no script, no external resource.

    Nothing is measured here; every figure comes from the verdicts, metrics and manifests given.
    """
    bundles = list(enumerate(report.bundles))
    body = [
        element(
            "header",
            element("h1", report.title),
            element("p", NOTICE, class_="notice", role="note"),
        )
    ]
    if bundles:
        cards = (verdict_card(bundle, index) for index, bundle in bundles)
        body.append(element("div", *cards, class_="verdicts"))
    else:
        body.append(element("p", "Nothing was exported, so nothing is proven.", class_="notice"))
    body += [bundle_section(bundle, index) for index, bundle in bundles]
    if report.model is not None or report.metrics or report.history:
        body.append(training_section(report))
    if report.dataset is not None:
        body.append(dataset_section(report.dataset))
    if report.dataset is not None or report.model is not None:
        body.append(reproduction_section(report))
    style = files("pipeline.report").joinpath("style.css").read_text(encoding="utf-8")
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            element("title", report.title),
            Markup(f"<style>{style}</style>"),
        )
    )
    page = element(
        "html", element("head", head), element("body", element("main", *body)), lang="en"
    )
    return f"<!doctype html>\n{page}\n"
