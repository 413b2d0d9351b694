"""Build HTML and SVG in which every text is escaped unless it was built here."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Mark text that is markup already, and so is not escaped again."""

    __slots__ = ()


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return one element.

    Args:
        name: the tag.
        children: `Markup` is taken as it is, any other string is escaped.
        attributes: escaped; `class_` means class, `aria_label` aria-label; None leaves it out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_attribute(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{join(children)}</{name}>")


def join(children: Iterable[str]) -> Markup:
    """Return the children one after the other, escaping what is not markup."""
    return Markup(
        "".join(
            child if isinstance(child, Markup) else escape(child, quote=False) for child in children
        )
    )


def table(
    caption: str,
    header: Iterable[str],
    rows: Iterable[Iterable[str]],
    *,
    class_: str | None = None,
) -> Markup:
    """Return a table whose first column heads its rows; wide tables scroll on their own."""
    head = element("tr", *(element("th", cell, scope="col") for cell in header))
    body = []
    for row in rows:
        first, *rest = row
        cells = [element("th", first, scope="row")]
        cells += [cell if isinstance(cell, Cell) else element("td", cell) for cell in rest]
        body.append(element("tr", *cells))
    return element(
        "div",
        element(
            "table",
            element("caption", caption),
            element("thead", head),
            element("tbody", *body),
        ),
        class_=" ".join(filter(None, ("scroll", class_))),
        tabindex="0",
        role="region",
        aria_label=caption,
    )


class Cell(Markup):
    """Mark a finished table cell, attributes and all."""

    __slots__ = ()


def cell(*children: str, **attributes: str | float | None) -> Cell:
    """Return a table cell with attributes."""
    return Cell(element("td", *children, **attributes))


def facts(pairs: Iterable[tuple[str, str]]) -> Markup:
    """Return a list of names and values."""
    return element(
        "dl",
        *(element("div", element("dt", name), element("dd", value)) for name, value in pairs),
    )


def folded(summary: str, *children: str) -> Markup:
    """Return content behind a heading that opens on demand."""
    return element("details", element("summary", summary), *children)


def _attribute(value: str | float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
