"""Draw every figure of the pages; `svg.py` writes the elements."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.contract.layer_errors import DebugReport
from pipeline.report import svg
from pipeline.report.run_report import TrueClassPoints
from pipeline.report.verdict_figures import Recall

# Which colour a training curve has.
CURVE_CLASS = {"train": "reference", "validation": "candidate"}
# How many of the weakest layers a drawing marks.
MARKED_LAYERS = 5

_DB_STEP = 10


@dataclass(frozen=True)
class Bar:
    """Hold one named bar: `share` is 0 to 1, `bright` its colour, `strong` its name's weight."""

    name: str
    share: float
    bright: bool
    strong: bool


def recall_bars(recall: Mapping[str, Recall]) -> Markup:
    """Draw each class's recall on both sides as a pair of bars."""
    row = 40
    axes = svg.Axes(150, 12, 330, row * len(recall))
    parts = axes.x_grid([f"{100 * tick:g}%" for tick in svg.TICKS])
    for i, (label, values) in enumerate(recall.items()):
        y = axes.top + row * i
        name, style = f"{label} ({values.images})", "label strong" if values.critical else "label"
        parts.append(
            svg.text(axes.left - 10, y + (15 if values.critical else 20), name, style, "end")
        )
        if values.critical:
            parts.append(svg.text(axes.left - 10, y + 30, "critical", "critical", "end"))
        for offset, side in ((4, "reference"), (20, "candidate")):
            share: float | None = getattr(values, side)
            if share is None:
                parts.append(svg.text(axes.left + 6, y + offset + 11, "no images", "value"))
                continue
            width = max(1.0, axes.width * share)
            parts.append(svg.rect(f"{side} bar", axes.left, y + offset, width, 14))
            shown = f"{100 * share:.1f}"
            parts.append(svg.text(axes.x(share) + 6, y + offset + 11, shown, "value"))
    lines = "; ".join(
        f"{label}{' (critical)' if values.critical else ''}: "
        f"{_percent(values.reference)} to {_percent(values.candidate)}"
        for label, values in recall.items()
    )
    return svg.drawing(
        530, axes.bottom + 26, f"Recall by class, reference to candidate. {lines}", parts
    )


def true_class_scatter(
    points: TrueClassPoints, labels: Sequence[str], critical: Collection[str]
) -> Markup:
    """Draw the candidate's probability of the true class against the reference's."""
    axes = svg.Axes(46, 12, 330, 330)
    gated = [i for i, label in enumerate(labels) if label in critical]
    ordinary: list[str] = []
    marked: list[str] = []
    for truth, x, y in zip(
        points.truth.tolist(), points.reference.tolist(), points.candidate.tolist(), strict=True
    ):
        # One path with a round dot for each point is far smaller than as many circles.
        dot = f"M{axes.x(x):.1f} {axes.y(y):.1f}h0"
        (marked if truth in gated else ordinary).append(dot)
    names = [f"{tick:g}" for tick in svg.TICKS]
    turned = f"translate(12 {axes.y(0.5):g}) rotate(-90)"
    parts = [
        *axes.x_grid(names),
        *axes.y_grid(names),
        svg.path("diagonal", f"M{axes.left:g} {axes.bottom:g}L{axes.x(1):g} {axes.top:g}"),
        svg.path("dots", "".join(ordinary)),
        svg.path("dots gated", "".join(marked)),
        svg.text(axes.x(0.5), axes.bottom + 40, "reference", "axis", "middle"),
        svg.element("text", "candidate", class_="axis", text_anchor="middle", transform=turned),
    ]
    below = int((points.candidate < points.reference).sum())
    described = (
        f"Probability of the true class on {len(points.truth)} images, candidate against "
        f"reference; {below} lie below the diagonal, where the candidate is less sure."
    )
    return svg.drawing(axes.x(1) + 14, axes.bottom + 50, described, parts)


def curves(
    name: str, series: Mapping[str, Sequence[float | None]], starts: Mapping[int, str]
) -> Markup:
    """Draw values over the epochs, one line for each series; None is a gap.

    Args:
        name: what is drawn.
        series: train, validation or both, at least one number in each.
        starts: the row at which each phase of the training begins, with its name.
    """
    axes = svg.Axes(66, 26, 330, 190)
    known = {key: [v for v in values if v is not None] for key, values in series.items()}
    low, high = min(map(min, known.values())), max(map(max, known.values()))
    span = (high - low) or abs(high) or 1.0
    epochs = max(map(len, series.values()))
    step = 1 / max(1, epochs - 1)
    parts = axes.y_grid([f"{low + span * tick:.3g}" for tick in svg.TICKS])
    for row, phase in starts.items():
        x = axes.x(step * row)
        parts.append(svg.path("diagonal", f"M{x:.1f} {axes.top:g}v{axes.height:g}"))
        # A name that begins at the right would run out of the drawing.
        anchor = "end" if x > axes.x(0.5) else None
        parts.append(svg.text(x, axes.top - 9, phase, "tick", anchor))
    for side, values in series.items():
        path, pen_down = "", False
        for i, value in enumerate(values):
            if value is not None:
                path += "L" if pen_down else "M"
                path += f"{axes.x(step * i):.1f} {axes.y((value - low) / span):.1f}"
                # A lone point has no line to show it.
                path += "" if pen_down else "h0"
            pen_down = value is not None
        parts.append(svg.path(f"line {CURVE_CLASS[side]}", path))
    for x, text, style in ((0, "1", "tick"), (1, str(epochs), "tick"), (0.5, "epoch", "axis")):
        below = axes.bottom + (30 if style == "axis" else 18)
        parts.append(svg.text(axes.x(x), below, text, style, "middle"))
    last = "; ".join(f"{key} is {numbers[-1]:.4g} at last" for key, numbers in known.items())
    described = f"{name} over {epochs} epochs: {last}."
    return svg.drawing(axes.x(1) + 16, axes.bottom + 38, described, parts)


def share_bars(bars: Sequence[Bar], described: str, asked: tuple[float, str] | None) -> Markup:
    """Draw named shares as bars.

    Args:
        bars: at least one.
        described: what the drawing shows, in words.
        asked: a share to mark by a line, with its name.
    """
    row = 28
    axes = svg.Axes(160, 12, 330, row * len(bars))
    low = min(0.8, *(bar.share for bar in bars))

    def place(share: float) -> float:
        return axes.x((share - low) / (1 - low) if low < 1 else 0)

    parts: list[Markup] = []
    for i, bar in enumerate(bars):
        y, right = axes.top + row * i, place(bar.share)
        style, side = ("label strong" if bar.strong else "label"), _colour(bar.bright)
        parts.append(svg.text(axes.left - 10, y + 15, bar.name, style, "end"))
        parts.append(svg.rect(f"{side} bar", axes.left, y + 3, max(1.0, right - axes.left), 16))
        parts.append(svg.text(right + 6, y + 15, f"{100 * bar.share:.2f}%", "value"))
    if asked is not None:
        x = place(asked[0])
        parts.append(svg.path("diagonal", f"M{x:.1f} {axes.top:g}V{axes.bottom:g}"))
        parts.append(svg.text(x, axes.bottom + 16, asked[1], "tick", "middle"))
    return svg.drawing(axes.x(1) + 70, axes.bottom + 24, described, parts)


def layer_plot(found: DebugReport) -> Markup:
    """Draw the SQNR of every layer in graph order, and the saturated share below."""
    bar, gap = 12, 4
    order = found.weakest_first()
    weak = {i for i in order[:MARKED_LAYERS] if found.layers[i].sqnr_db is not None}
    known = [0.0, *(layer.sqnr_db for layer in found.layers if layer.sqnr_db is not None)]
    low = _DB_STEP * math.floor(min(known) / _DB_STEP)
    high = _DB_STEP * max(low // _DB_STEP + 1, math.ceil(max(known) / _DB_STEP))
    most = max(layer.saturated_share for layer in found.layers) or 0.01
    width = (bar + gap) * len(found.layers)
    sqnr, saturated = svg.Axes(52, 34, width, 200), svg.Axes(52, 290, width, 80)
    parts = [
        svg.text(sqnr.left, 14, "SQNR, dB", "axis"),
        *sqnr.y_grid([f"{low + (high - low) * tick:.3g}" for tick in svg.TICKS]),
        svg.text(saturated.left, saturated.top - 14, "saturated values", "axis"),
        *saturated.y_grid(["0%", f"{100 * most:.2g}%"], (0.0, 1.0)),
    ]
    zero = sqnr.y(-low / (high - low))
    for i, layer in enumerate(found.layers):
        x, side = sqnr.left + gap / 2 + (bar + gap) * i, "gated" if i in weak else "candidate"
        db = "no error" if layer.sqnr_db is None else f"{layer.sqnr_db:.1f} dB"
        said = f"{i + 1} {layer.short_name}: {db}, {100 * layer.saturated_share:.2f}% saturated"
        if layer.sqnr_db is not None:
            reach = sqnr.height * layer.sqnr_db / (high - low)
            parts.append(svg.rect(f"{side} bar", x, zero - max(reach, 0.0), bar, abs(reach), said))
        tall = saturated.height * layer.saturated_share / most
        parts.append(svg.rect(f"{side} bar", x, saturated.bottom - tall, bar, tall, said))
        number = str(i + 1)
        if i % 5 == 4 or i == 0:
            parts.append(svg.text(x + bar / 2, saturated.bottom + 18, number, "tick", "middle"))
        if i in weak:
            parts.append(svg.text(x + bar / 2, sqnr.bottom + 16, number, "critical", "middle"))
    described = "SQNR of each layer in the order of the graph"
    if weak:
        weakest = found.layers[order[0]]
        described += f"; the weakest, {weakest.short_name}, has {weakest.sqnr_db:.1f} dB"
    return svg.drawing(sqnr.x(1) + 8, saturated.bottom + 26, f"{described}.", parts)


def _colour(bright: bool) -> str:
    return "candidate" if bright else "reference"


def _percent(share: float | None) -> str:
    return "no images" if share is None else f"{100 * share:.1f}%"
