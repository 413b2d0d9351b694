"""Draw every figure of the pages; `svg.py` writes the elements."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from pipeline.contract.calibration import ReliabilityBin
from pipeline.report import svg
from pipeline.report.run_report import (
    Calibration,
    Calibrations,
    Interval,
    RecallIntervals,
    TrueClassPoints,
)
from pipeline.report.verdict_figures import Recall

# Which colour a training curve has.
CURVE_CLASS = {"train": "reference", "validation": "candidate"}


@dataclass(frozen=True)
class Bar:
    """Hold one named bar: `share` is 0 to 1, `bright` its colour, `strong` its name's weight."""

    name: str
    share: float
    bright: bool
    strong: bool


def recall_bars(recall: Mapping[str, Recall], intervals: Mapping[str, RecallIntervals]) -> Markup:
    """Draw each class's recall on both sides as a pair of bars, with 95% intervals if known."""
    row = 40
    axes = svg.Axes(150, 12, 330, row * len(recall))
    parts = axes.x_grid([f"{100 * tick:g}%" for tick in svg.TICKS])
    said = []
    for i, (label, values) in enumerate(recall.items()):
        y, known = axes.top + row * i, intervals.get(label)
        name = f"{svg.short(label, 12)} ({values.images})"
        style = "label strong" if values.critical else "label"
        above = y + (15 if values.critical else 20)
        parts.append(svg.text(axes.left - 10, above, name, style, "end"))
        if values.critical:
            parts.append(svg.text(axes.left - 10, y + 30, "critical", "critical", "end"))
        words = []
        for offset, side in ((4, "reference"), (20, "candidate")):
            share: float | None = getattr(values, side)
            interval: Interval | None = getattr(known, side, None)
            words.append(_percent(share) + _in_words(interval))
            if share is None:
                parts.append(svg.text(axes.left + 6, y + offset + 11, "no images", "value"))
                continue
            width = max(1.0, axes.width * share)
            parts.append(svg.rect(f"{side} bar", axes.left, y + offset, width, 14))
            shown, right = f"{100 * share:.1f}", axes.x(share)
            if interval is not None:
                parts.append(_whisker(axes, interval, y + offset + 7))
                right = max(right, axes.x(interval[1]))
            parts.append(svg.text(right + 6, y + offset + 11, shown, "value"))
        critical = " (critical)" if values.critical else ""
        said.append(f"{label}{critical}: {' to '.join(words)}")
    described = f"Recall by class, reference to candidate. {'; '.join(said)}"
    return svg.drawing(530, axes.bottom + 26, described, parts)


def reliability_diagram(
    calibrations: Calibrations, reference: str = "reference", candidate: str = "candidate"
) -> Markup:
    """Draw accuracy against confidence of both sides, a dot a bin, larger for more images.

    Args:
        calibrations: what is drawn.
        reference: what the one side is called in words.
        candidate: what the other side is called.
    """
    axes = svg.Axes(46, 12, 330, 330)
    names = [f"{tick:g}" for tick in svg.TICKS]
    parts = [
        *axes.x_grid(names),
        *axes.y_grid(names),
        svg.path("diagonal", f"M{axes.left:g} {axes.bottom:g}L{axes.x(1):g} {axes.top:g}"),
        *axes.titles("confidence", "accuracy"),
    ]
    said = []
    for side, name in (("reference", reference), ("candidate", candidate)):
        found: Calibration = getattr(calibrations, side)
        most = max((one.images for one in found.bins), default=1)
        places = [(axes.x(one.confidence), axes.y(one.accuracy)) for one in found.bins]
        line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        parts.append(svg.path(f"thin line {side}", f"M{line}"))
        parts += [
            svg.element(
                "circle",
                svg.element("title", _bin_in_words(name, one)),
                class_=f"{side} bin",
                cx=round(x, 1),
                cy=round(y, 1),
                r=round(3 + 7 * math.sqrt(one.images / most), 1),
            )
            for one, (x, y) in zip(found.bins, places, strict=True)
        ]
        said.append(f"{name} {100 * found.error:.1f}%")
    described = (
        "Reliability: the share answered right against the confidence of the answer. "
        f"Expected calibration error: {', '.join(said)}."
    )
    return svg.drawing(axes.x(1) + 14, axes.bottom + 50, described, parts)


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
    parts = [
        *axes.x_grid(names),
        *axes.y_grid(names),
        svg.path("diagonal", f"M{axes.left:g} {axes.bottom:g}L{axes.x(1):g} {axes.top:g}"),
        svg.path("dots", "".join(ordinary)),
        svg.path("dots gated", "".join(marked)),
        *axes.titles("reference", "candidate"),
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
        parts.append(svg.text(axes.left - 10, y + 15, svg.short(bar.name, 20), style, "end"))
        parts.append(svg.rect(f"{side} bar", axes.left, y + 3, max(1.0, right - axes.left), 16))
        parts.append(svg.text(right + 6, y + 15, f"{100 * bar.share:.2f}%", "value"))
    if asked is not None:
        x = place(asked[0])
        parts.append(svg.path("diagonal", f"M{x:.1f} {axes.top:g}V{axes.bottom:g}"))
        parts.append(svg.text(x, axes.bottom + 16, asked[1], "tick", "middle"))
    return svg.drawing(axes.x(1) + 70, axes.bottom + 24, described, parts)


def _colour(bright: bool) -> str:
    return "candidate" if bright else "reference"


def _percent(share: float | None) -> str:
    return "no images" if share is None else f"{100 * share:.1f}%"


def _whisker(axes: svg.Axes, interval: Interval, y: float) -> Markup:
    low, high = axes.x(interval[0]), axes.x(interval[1])
    ends = f"M{low:.1f} {y - 4:g}v8M{high:.1f} {y - 4:g}v8"
    d = f"M{low:.1f} {y:g}H{high:.1f}{ends}"
    # With a rim, so that it is seen on its bar too.
    return svg.path("whisker halo", d) + svg.path("whisker", d)


def _in_words(interval: Interval | None) -> str:
    return "" if interval is None else f" [{100 * interval[0]:.1f} to {100 * interval[1]:.1f}]"


def _bin_in_words(side: str, one: ReliabilityBin) -> str:
    return (
        f"{side}: {one.images} images, confidence {one.confidence:.2f}, accuracy {one.accuracy:.2f}"
    )
