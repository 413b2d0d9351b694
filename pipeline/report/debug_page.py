"""Render the layers of an int8 file as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.resources import files
from pathlib import PurePath

from pipeline.contract.layer_errors import DebugReport, LayerFigures
from pipeline.contract.manifest import NOTICE
from pipeline.report.markup import Markup, element, facts, join, table
from pipeline.report.wording import NOTHING

COLUMNS = (
    "SQNR dB",
    "saturated",
    "mean shift",
    "largest shift",
    "float range",
    "int8 range",
    "weights",
    "channel ratio",
)

# The page fetches nothing and runs nothing, and the browser is told to hold it to that.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
_STYLE = (
    "body { max-width: 92rem; } svg .bar.gated { fill: var(--gated); } "
    ".numbers td, .numbers th { white-space: nowrap; }"
)
# How many of the weakest layers the plot marks.
_MARKED = 5
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)
_DB_STEP = 10
_LEFT, _BAR, _GAP = 52, 12, 4
_SQNR_TOP, _SQNR_HEIGHT = 34, 200
_SHARE_TOP, _SHARE_HEIGHT = 290, 80
_LEGEND = (
    ("SQNR", "10 log10 of the mean square of the float activation over that of the int8 error"),
    (
        "saturated",
        "values at an end of the int8 range; a zero end that the float model never passes, as a "
        "ReLU's, does not count, a ReLU6's end at 6 does",
    ),
    ("mean shift", "mean error of a channel, in steps: its mean over channels, and the largest"),
    ("channel ratio", "largest absolute weight of the widest channel over the narrowest's"),
)


def render_debug_page(found: DebugReport) -> str:
    """Return the page as an HTML document in UTF-8: no script, no external resource."""
    title = f"Layers of {PurePath(found.model).name}"
    order = found.weakest_first()
    rows = []
    for index in order:
        layer = found.layers[index]
        named = element("span", f"{index + 1} {layer.short_name}", title=layer.name)
        rows.append((named, layer.operator, *cells(layer)))
    body = (
        element("h1", title),
        element("p", NOTICE, class_="notice", role="note"),
        facts(
            (
                ("file", found.model),
                ("SHA-256", found.model_sha256),
                ("compared on", f"{found.images} training images"),
                ("float model", "equalized as the file was" if found.equalized else "as trained"),
                *_LEGEND,
            )
        ),
        element(
            "figure",
            element("figcaption", "Every layer, in the order of the graph"),
            element(
                "p",
                element("span", element("i", class_="swatch gated"), "the weakest layers"),
                element("span", element("i", class_="swatch candidate"), "the others"),
                class_="legend",
            ),
            layer_plot(found),
        ),
        table(
            "Layers, weakest first",
            ("layer", "operator", *COLUMNS),
            rows,
            class_="numbers",
        ),
    )
    return _document(title, body)


def cells(layer: LayerFigures) -> tuple[str, ...]:
    """Return a layer's figures as words, in the order of `COLUMNS`."""
    return (
        _number(layer.sqnr_db, ".1f"),
        f"{100 * layer.saturated_share:.2f}%",
        _number(layer.mean_shift_steps, ".2f"),
        _number(layer.largest_mean_shift_steps, ".2f"),
        _span(layer.float_low, layer.float_high),
        "in floats" if layer.in_floats else _span(layer.int8_low, layer.int8_high),
        _span(layer.weight_low, layer.weight_high),
        _number(layer.weight_channel_ratio, ".3g"),
    )


def layer_plot(found: DebugReport) -> Markup:
    """Draw the SQNR of every layer in graph order, and the saturated share below."""
    order = found.weakest_first()
    weak = {index for index in order[:_MARKED] if found.layers[index].sqnr_db is not None}
    known = [layer.sqnr_db for layer in found.layers if layer.sqnr_db is not None]
    low = _DB_STEP * math.floor(min([0.0, *known]) / _DB_STEP)
    high = _DB_STEP * max(low // _DB_STEP + 1, math.ceil(max([0.0, *known]) / _DB_STEP))
    most = max(layer.saturated_share for layer in found.layers) or 0.01
    width = (_BAR + _GAP) * len(found.layers)
    ticks = [f"{low + (high - low) * tick:.3g}" for tick in _TICKS]
    shares = [f"{100 * most * tick:.2g}%" for tick in _TICKS]
    parts = [
        _text(_LEFT, 14, "SQNR, dB", class_="axis"),
        _grid(_SQNR_TOP, _SQNR_HEIGHT, width, ticks, _TICKS),
        _text(_LEFT, _SHARE_TOP - 14, "saturated values", class_="axis"),
        _grid(_SHARE_TOP, _SHARE_HEIGHT, width, shares[::4], _TICKS[::4]),
    ]
    scale = _SQNR_HEIGHT / (high - low)
    zero = _SQNR_TOP + scale * high
    bottom = _SHARE_TOP + _SHARE_HEIGHT
    for index, layer in enumerate(found.layers):
        x = _LEFT + _GAP / 2 + (_BAR + _GAP) * index
        side = "gated bar" if index in weak else "candidate bar"
        said = f"{index + 1} {layer.short_name}: {', '.join(cells(layer)[:2])}"
        if layer.sqnr_db is not None:
            reach = scale * layer.sqnr_db
            parts.append(_bar(x, zero - max(reach, 0.0), abs(reach), side, said))
        tall = _SHARE_HEIGHT * layer.saturated_share / most
        parts.append(_bar(x, bottom - tall, tall, side, said))
        middle, number, centred = x + _BAR / 2, str(index + 1), {"text_anchor": "middle"}
        if index % 5 == 4 or index == 0:
            parts.append(_text(middle, bottom + 18, number, class_="tick", **centred))
        if index in weak:
            parts.append(
                _text(middle, _SQNR_TOP + _SQNR_HEIGHT + 16, number, class_="critical", **centred)
            )
    described = "SQNR of each layer in the order of the graph"
    if weak:
        weakest = found.layers[order[0]]
        described += f"; the weakest, {weakest.short_name}, has {weakest.sqnr_db:.1f} dB"
    total = _LEFT + width + 8
    return element(
        "svg",
        element("title", f"{described}."),
        join(parts),
        viewBox=f"0 0 {total} {bottom + 26}",
        role="img",
        aria_label=f"{described}.",
        style=f"max-width:{total}px",
    )


def _bar(x: float, y: float, height: float, side: str, said: str) -> Markup:
    shape = {"x": x, "y": round(y, 2), "width": float(_BAR), "height": round(height, 2)}
    return element("rect", element("title", said), class_=side, **shape)


def _grid(
    top: int, height: int, width: int, names: Sequence[str], ticks: Sequence[float]
) -> Markup:
    lines = "".join(f"M{_LEFT} {top + height * (1 - tick):g}h{width}" for tick in ticks)
    labels = (
        _text(_LEFT - 8, top + height * (1 - tick) + 4, name, class_="tick", text_anchor="end")
        for tick, name in zip(ticks, names, strict=True)
    )
    return join((element("path", class_="grid", d=lines), *labels))


def _text(x: float, y: float, text: str, **attributes: str) -> Markup:
    return element("text", text, x=x, y=y, **attributes)


def _number(value: float | None, form: str) -> str:
    return NOTHING if value is None else f"{value:{form}}"


def _span(low: float | None, high: float | None) -> str:
    return NOTHING if low is None or high is None else f"{low:.3g} to {high:.3g}"


def _document(title: str, body: Sequence[Markup]) -> str:
    style = files("pipeline.report").joinpath("style.css").read_text(encoding="utf-8")
    head = join(
        (
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            Markup(f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">'),
            element("title", title),
            Markup(f"<style>{style}{_STYLE}</style>"),
        )
    )
    page = element(
        "html", element("head", head), element("body", element("main", *body)), lang="en"
    )
    return f"<!doctype html>\n{page}\n"
