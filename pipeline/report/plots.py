"""Draw the report's figures as inline SVG.

Drawn by hand rather than by a plotting library: the colours are the page's CSS variables, so
one drawing serves light and dark, stays sharp, weighs a few kilobytes and has the same bytes
every time.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pipeline.report.markup import Markup, element, join
from pipeline.report.run_report import TrueClassPoints

# Which colour a training curve has.
CURVE_CLASS = {"train": "reference", "validation": "candidate"}

_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)


def recall_bars(recall: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Draw each class's recall on both sides as a pair of bars.

    Args:
        recall: by label: images, critical, and reference and candidate as shares or None.
    """
    left, width, row, top = 150, 330, 40, 12
    bottom = top + row * len(recall)
    parts = [_x_grid(left, width, top, bottom, [f"{100 * tick:g}%" for tick in _TICKS])]
    for i, (label, values) in enumerate(recall.items()):
        y = top + row * i
        critical = bool(values["critical"])
        parts.append(
            _text(
                left - 10,
                y + (15 if critical else 20),
                f"{label} ({values['images']})",
                class_="label strong" if critical else "label",
                text_anchor="end",
            )
        )
        if critical:
            parts.append(_text(left - 10, y + 30, "critical", class_="critical", text_anchor="end"))
        for offset, side in ((4, "reference"), (20, "candidate")):
            share = values[side]
            if share is None:
                parts.append(_text(left + 6, y + offset + 11, "no images", class_="value"))
                continue
            parts.append(
                element(
                    "rect",
                    class_=f"{side} bar",
                    x=left,
                    y=y + offset,
                    width=max(1.0, width * float(share)),
                    height=14,
                )
            )
            parts.append(
                _text(
                    left + width * float(share) + 6,
                    y + offset + 11,
                    f"{100 * float(share):.1f}",
                    class_="value",
                )
            )
    lines = "; ".join(
        f"{label}{' (critical)' if values['critical'] else ''}: "
        + " to ".join(_percent(values[side]) for side in ("reference", "candidate"))
        for label, values in recall.items()
    )
    return svg(
        left + width + 50, bottom + 26, f"Recall by class, reference to candidate. {lines}", parts
    )


def true_class_scatter(
    points: TrueClassPoints, labels: Sequence[str], critical: Collection[str]
) -> Markup:
    """Draw the candidate's probability of the true class against the reference's."""
    left, top, size = 46, 12, 330
    gated = [i for i, label in enumerate(labels) if label in critical]
    ordinary: list[str] = []
    marked: list[str] = []
    for truth, x, y in zip(
        points.truth.tolist(), points.reference.tolist(), points.candidate.tolist(), strict=True
    ):
        # One path with a round dot for each point is far smaller than as many circles.
        dot = f"M{left + size * x:.1f} {top + size * (1 - y):.1f}h0"
        (marked if truth in gated else ordinary).append(dot)
    names = [f"{tick:g}" for tick in _TICKS]
    parts = [
        _x_grid(left, size, top, top + size, names),
        _y_grid(left, size, top, size, names),
        element("path", class_="diagonal", d=f"M{left} {top + size}L{left + size} {top}"),
        element("path", class_="dots", d="".join(ordinary)),
        element("path", class_="dots gated", d="".join(marked)),
        _text(left + size / 2, top + size + 40, "reference", class_="axis", text_anchor="middle"),
        element(
            "text",
            "candidate",
            class_="axis",
            text_anchor="middle",
            transform=f"translate(12 {top + size / 2:g}) rotate(-90)",
        ),
    ]
    below = int((points.candidate < points.reference).sum())
    return svg(
        left + size + 14,
        top + size + 50,
        f"Probability of the true class on {len(points.truth)} images, candidate against "
        f"reference; {below} lie below the diagonal, where the candidate is less sure.",
        parts,
    )


def curves(
    name: str, series: Mapping[str, Sequence[float | None]], starts: Mapping[int, str]
) -> Markup:
    """Draw values over the epochs, one line for each series; None is a gap.

    Args:
        name: what is drawn.
        series: train, validation or both, at least one number in each.
        starts: the row at which each phase of the training begins, with its name.
    """
    left, top, width, height = 66, 26, 330, 190
    known = [value for values in series.values() for value in values if value is not None]
    low, high = min(known), max(known)
    span = (high - low) or abs(high) or 1.0
    epochs = max(len(values) for values in series.values())
    step = width / max(1, epochs - 1)
    ticks = [low + span * share for share in _TICKS]
    parts = [_y_grid(left, width, top, height, [f"{tick:.3g}" for tick in ticks])]
    for row, phase in starts.items():
        x = left + step * row
        parts.append(element("path", class_="diagonal", d=f"M{x:.1f} {top}v{height}"))
        parts.append(_text(x, top - 9, phase, class_="tick"))
    for side, values in series.items():
        path, pen_down = "", False
        for i, value in enumerate(values):
            if value is not None:
                y = top + height * (1 - (value - low) / span)
                path += f"{'L' if pen_down else 'M'}{left + step * i:.1f} {y:.1f}"
                # A lone point has no line to show it.
                path += "h0" if not pen_down else ""
            pen_down = value is not None
        parts.append(element("path", class_=f"line {CURVE_CLASS[side]}", d=path))
    parts.append(_text(left, top + height + 18, "1", class_="tick", text_anchor="middle"))
    parts.append(
        _text(left + width, top + height + 18, str(epochs), class_="tick", text_anchor="middle")
    )
    parts.append(
        _text(left + width / 2, top + height + 30, "epoch", class_="axis", text_anchor="middle")
    )
    last = "; ".join(
        f"{key} ends at {numbers[-1]:.4g}"
        for key, values in series.items()
        if (numbers := [value for value in values if value is not None])
    )
    return svg(left + width + 16, top + height + 38, f"{name} over {epochs} epochs: {last}.", parts)


def legend(**names: str) -> Markup:
    """Return a line that says which colour (reference, candidate, gated) means what."""
    return element(
        "p",
        *(
            element("span", element("i", class_=f"swatch {key}", aria_hidden="true"), name)
            for key, name in names.items()
        ),
        class_="legend",
    )


def svg(width: int, height: int, description: str, parts: Sequence[Markup]) -> Markup:
    """Return a drawing that says in words what it shows."""
    return element(
        "svg",
        element("title", description),
        join(parts),
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=description,
        style=f"max-width:{width}px",
    )


def _x_grid(left: int, width: int, top: int, bottom: int, names: Sequence[str]) -> Markup:
    lines = "".join(f"M{left + width * tick:g} {top}V{bottom}" for tick in _TICKS)
    labels = (
        _text(left + width * tick, bottom + 18, name, class_="tick", text_anchor="middle")
        for tick, name in zip(_TICKS, names, strict=True)
    )
    return join((element("path", class_="grid", d=lines), *labels))


def _y_grid(left: int, width: int, top: int, height: int, names: Sequence[str]) -> Markup:
    lines = "".join(f"M{left} {top + height * (1 - tick):g}h{width}" for tick in _TICKS)
    labels = (
        _text(left - 8, top + height * (1 - tick) + 4, name, class_="tick", text_anchor="end")
        for tick, name in zip(_TICKS, names, strict=True)
    )
    return join((element("path", class_="grid", d=lines), *labels))


def _text(x: float, y: float, text: str, **attributes: str) -> Markup:
    return element("text", text, x=x, y=y, **attributes)


def _percent(share: float | None) -> str:
    return "no images" if share is None else f"{100 * share:.1f}%"
