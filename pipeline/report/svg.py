"""Write the elements of an SVG drawing, and the axes that values are drawn on.

Drawn by hand rather than by a plotting library: the colours are the page's CSS variables, so
one drawing serves light and dark, stays sharp, weighs a few kilobytes and has the same bytes
every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True)
class Axes:
    """Hold the rectangle that values are drawn in, in units of the drawing."""

    left: float
    top: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        """Return the y of the lower edge."""
        return self.top + self.height

    def x(self, share: float) -> float:
        """Return the x of a share, 0 to 1, from the left."""
        return self.left + self.width * share

    def y(self, share: float) -> float:
        """Return the y of a share, 0 to 1, from the bottom."""
        return self.top + self.height * (1 - share)

    def x_grid(self, names: Sequence[str]) -> list[Markup]:
        """Return vertical lines at `TICKS`, named below."""
        lines = "".join(f"M{self.x(tick):g} {self.top:g}V{self.bottom:g}" for tick in TICKS)
        return [
            path("grid", lines),
            *(
                text(self.x(tick), self.bottom + 18, name, "tick", "middle")
                for tick, name in zip(TICKS, names, strict=True)
            ),
        ]

    def titles(self, x: str, y: str) -> list[Markup]:
        """Return what the axes measure: `x` below the names at `TICKS`, `y` upwards at the edge."""
        turned = f"translate(12 {self.y(0.5):g}) rotate(-90)"
        return [
            text(self.x(0.5), self.bottom + 40, x, "axis", "middle"),
            element("text", y, class_="axis", text_anchor="middle", transform=turned),
        ]

    def y_grid(self, names: Sequence[str], ticks: Sequence[float] = TICKS) -> list[Markup]:
        """Return horizontal lines at `ticks`, named on the left."""
        lines = "".join(f"M{self.left:g} {self.y(tick):g}h{self.width:g}" for tick in ticks)
        return [
            path("grid", lines),
            *(
                text(self.left - 8, self.y(tick) + 4, name, "tick", "end")
                for tick, name in zip(ticks, names, strict=True)
            ),
        ]


def drawing(width: float, height: float, described: str, parts: Iterable[Markup]) -> Markup:
    """Return a drawing that says in words what it shows."""
    return element(
        "svg",
        element("title", described),
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        role="img",
        aria_label=described,
        style=f"max-width:{width:g}px",
    )


def path(style: str, d: str) -> Markup:
    """Return a path of a class of the style sheet."""
    return element("path", class_=style, d=d)


def rect(style: str, x: float, y: float, width: float, height: float, said: str = "") -> Markup:
    """Return a rectangle, and what a pointer over it says."""
    inside = (element("title", said),) if said else ()
    return element("rect", *inside, class_=style, x=x, y=y, width=width, height=height)


def text(x: float, y: float, text: str, style: str, anchor: str | None = None) -> Markup:
    """Return a text at its baseline; `anchor` is `middle` or `end`, else the start."""
    return element("text", text, x=x, y=y, class_=style, text_anchor=anchor)


def short(name: str, most: int = 18) -> str:
    """Return a name that fits beside a drawing, its end cut off where it is longer."""
    return name if len(name) <= most else f"{name[: most - 1]}\N{HORIZONTAL ELLIPSIS}"


def element(name: str, *children: str, **attributes: str | float | None) -> Markup:
    """Return one element; text and values are escaped, `class_` and `a_b` mean class and a-b."""
    written = Markup("").join(
        Markup(' {}="{}"').format(
            key.rstrip("_").replace("_", "-"),
            f"{value:.6g}" if isinstance(value, int | float) else value,
        )
        for key, value in attributes.items()
        if value is not None
    )
    return Markup(f"<{name}{written}>{Markup('').join(map(escape, children))}</{name}>")
