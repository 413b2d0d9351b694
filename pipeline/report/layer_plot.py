"""Draw the layers of an int8 file, in the order of the graph."""

from __future__ import annotations

import math

from markupsafe import Markup

from pipeline.contract.layer_errors import DebugReport
from pipeline.report import svg

# How many of the weakest layers a drawing marks.
MARKED_LAYERS = 5

_DB_STEP = 10


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
