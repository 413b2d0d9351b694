"""Render pages from the templates: one frame, every text escaped, the same bytes every time."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from pipeline.contract.manifest import NOTICE
from pipeline.report.wording import NOTHING, amount

# A page fetches nothing and runs nothing, and the browser is told to hold it to that.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(template: str, *, date: str | None = None, **context: Any) -> str:
    """Return a page as an HTML document in UTF-8: no script, no external resource.

    Args:
        template: the name of a file in `templates/`.
        date: when the page was made, in words.
        context: what the template shows; `Markup` is taken as it is, other text is escaped.
    """
    return _environment().get_template(template).render(context, date=date)


def code(text: str) -> Markup:
    """Return text as a hash, a path or an identifier is set."""
    return Markup("<code>{}</code>").format(text)


def page_date() -> str:
    """Return now in words, for the head of a page; no hashed artifact has a date."""
    now = datetime.now(UTC)
    return f"{now.day} {now:%B %Y, %H:%M} UTC"


def templates(*, autoescape: bool) -> Environment:
    """Return the templates of this package; what one does not know of is an error."""
    return Environment(
        loader=PackageLoader("pipeline.report"),
        autoescape=autoescape,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


@cache
def _environment() -> Environment:
    environment = templates(autoescape=True)
    style = files("pipeline.report").joinpath("style.css").read_text(encoding="utf-8")
    # The style sheet is the package's own text, and `>` in it must stay one.
    environment.globals |= {
        "policy": POLICY,
        "notice": NOTICE,
        "nothing": NOTHING,
        "style": Markup(style),
    }
    environment.filters["amount"] = amount
    return environment
