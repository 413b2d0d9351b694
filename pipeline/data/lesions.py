"""Draw lesion-like pictures, one style a class, that nobody could mistake for photographs.

Coordinates: `u` and `v` are float32 arrays (height, width) in the lesion's own frame, whose
radius is about 1; colours are RGB from 0 to 255. The styles follow what dermoscopy
textbooks name first for each class, exaggerated, and differ in ways that survive flips, rotation,
a change of brightness and a resize to 96 pixels.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Rng = np.random.Generator
Color = tuple[float, float, float]

_SKIN: tuple[Color, ...] = (
    (240, 206, 184),
    (228, 188, 160),
    (214, 170, 138),
    (196, 150, 118),
)


def draw_lesion(label: str, lesion: Rng, view: Rng, height_px: int, width_px: int) -> Field:
    """Draw one picture of one lesion.

    Args:
        label: an ISIC 2019 class name.
        lesion: decides the lesion; two pictures of one lesion start from equal generators.
        view: decides angle, distance, light and hairs.
        height_px: picture height.
        width_px: picture width.

    Returns:
        float32 array (height_px, width_px, 3), 0 to 255.
    """
    rows = np.arange(height_px, dtype=np.float32)[:, None] - height_px / 2
    columns = np.arange(width_px, dtype=np.float32)[None, :] - width_px / 2
    angle = view.uniform(0, 2 * np.pi)
    radius_px = min(height_px, width_px) * view.uniform(0.29, 0.36)
    shift = view.uniform(-0.22, 0.22, 2)
    cos, sin = np.cos(angle), np.sin(angle)
    u = ((columns * cos + rows * sin) / radius_px + shift[0]).astype(np.float32)
    v = ((rows * cos - columns * sin) / radius_px + shift[1]).astype(np.float32)
    skin = _SKIN[int(lesion.integers(len(_SKIN)))]
    canvas = np.empty((height_px, width_px, 3), np.float32)
    canvas[:] = skin
    canvas += (5 * _noise(lesion, u, v, 3.0, 6) + 3 * _noise(lesion, u, v, 14.0, 6))[:, :, None]
    _DRAW[label](canvas, u, v, lesion)
    _hairs(canvas, view)
    canvas *= view.uniform(0.75, 1.1)
    canvas += view.normal(0, 2.5, canvas.shape[:2]).astype(np.float32)[:, :, None]
    return np.clip(canvas, 0, 255)


def _melanoma(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # Ragged outline, several dark colours, a blue-grey veil.
    edge = 1.0 + 0.32 * _outline(rng, u, v, 2, 5) + 0.13 * _outline(rng, u, v, 7, 12)
    body = _step(edge - _away(u, v), 0.05)
    _blend(canvas, (66, 38, 26), body)
    patches = _noise(rng, u, v, 4.0, 8)
    _blend(canvas, (16, 11, 12), body * _step(patches - 0.25, 0.12))
    veil = body * _step(-_noise(rng, u, v, 2.5, 6) - 0.35, 0.2)
    _blend(canvas, (84, 96, 128), 0.85 * veil)


def _nevus(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # Round, one brown, soft rim.
    flat = rng.uniform(0.88, 1.0)
    radius = np.hypot(u, v / flat)
    _blend(canvas, (140, 88, 54), _step(0.92 - radius, 0.12))
    _blend(canvas, (116, 70, 42), 0.6 * _step(0.6 - radius, 0.25))


def _basal_cell(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # Pearly, pale, with branching red vessels.
    edge = 0.95 + 0.08 * _outline(rng, u, v, 2, 5)
    body = _step(edge - _away(u, v), 0.08)
    _blend(canvas, (236, 216, 222), 0.9 * body)
    _blend(canvas, (255, 248, 250), 0.8 * body * _step(_noise(rng, u, v, 3.0, 6) - 0.35, 0.25))
    start = rng.uniform(0, 2 * np.pi)
    depths = []
    for trunk in range(4):
        angle = start + trunk * np.pi / 2 + rng.uniform(-0.3, 0.3)
        fork = _polar(0.4, angle + 0.3)
        depths.append(0.05 - _to_line(u, v, (0.0, 0.0), fork))
        depths.append(0.035 - _to_line(u, v, fork, _polar(0.9, angle)))
        depths.append(0.035 - _to_line(u, v, fork, _polar(0.8, angle + 0.7)))
    _blend(canvas, (196, 26, 44), _step(np.maximum.reduce(depths), 0.04))


def _actinic(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # A diffuse red patch under pale yellow scales.
    edge = 1.0 + 0.2 * _outline(rng, u, v, 2, 6)
    body = _step(edge - _away(u, v), 0.3)
    _blend(canvas, (208, 84, 72), 0.85 * body)
    scales = _step(_noise(rng, u, v, 11.0, 10) - 0.45, 0.15)
    _blend(canvas, (250, 238, 196), 0.95 * body * scales)


def _keratosis(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # Stuck on: a sharp waxy ochre plate with dark plugs and white dots.
    edge = 0.98 + 0.07 * _outline(rng, u, v, 3, 8)
    depth = edge - _away(u, v)
    _blend(canvas, (92, 74, 42), _step(depth, 0.03))
    _blend(canvas, (182, 150, 78), _step(depth - 0.08, 0.04))
    for color in ((46, 34, 22), (250, 246, 226)):
        depths = []
        for _ in range(11):
            x, y = _polar(0.8 * np.sqrt(rng.uniform(0, 1)), rng.uniform(0, 2 * np.pi))
            depths.append(rng.uniform(0.05, 0.085) - _away(u, v, x, y))
        _blend(canvas, color, _step(np.maximum.reduce(depths), 0.03))


def _dermatofibroma(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # A faint brown ring round a white scar.
    edge = 0.95 + 0.06 * _outline(rng, u, v, 2, 5)
    radius = _away(u, v)
    _blend(canvas, (158, 108, 82), 0.9 * _step(edge - radius, 0.15))
    core = 0.46 + 0.1 * _outline(rng, u, v, 3, 7)
    _blend(canvas, (250, 244, 238), 0.97 * _step(core - radius, 0.1))


def _vascular(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # Round red and purple lagoons, side by side.
    start = rng.uniform(0, 2 * np.pi)
    places = [(0.0, 0.0), *(_polar(0.64, start + k * np.pi / 3) for k in range(6))]
    _blend(canvas, (214, 128, 136), 0.7 * _step(1.05 - _away(u, v), 0.2))
    depths = [rng.uniform(0.24, 0.31) - _away(u, v, x, y) for x, y in places]
    for color, lagoons in (((96, 16, 92), depths[::2]), ((150, 10, 40), depths[1::2])):
        _blend(canvas, color, _step(np.maximum.reduce(lagoons), 0.05))


def _squamous(canvas: Field, u: Field, v: Field, rng: Rng) -> None:
    # A raised pink wall round a crater full of yellow keratin.
    edge = 1.0 + 0.08 * _outline(rng, u, v, 2, 6)
    radius = _away(u, v)
    _blend(canvas, (222, 96, 108), 0.95 * _step(edge - radius, 0.08))
    angle = np.arctan2(v, u)
    rays: Field = np.cos(18 * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    _blend(canvas, (250, 214, 214), 0.6 * _step(edge - radius, 0.08) * _step(rays - 0.4, 0.4))
    crater = 0.58 + 0.1 * _outline(rng, u, v, 4, 9)
    _blend(canvas, (120, 62, 24), _step(crater - radius, 0.05))
    _blend(canvas, (228, 170, 44), _step(crater - 0.08 - radius, 0.06))
    crumbs = _step(_noise(rng, u, v, 9.0, 8) - 0.4, 0.2) * _step(crater - 0.08 - radius, 0.06)
    _blend(canvas, (140, 84, 20), 0.8 * crumbs)


_DRAW: dict[str, Callable[[Field, Field, Field, Rng], None]] = {
    "MEL": _melanoma,
    "NV": _nevus,
    "BCC": _basal_cell,
    "AK": _actinic,
    "BKL": _keratosis,
    "DF": _dermatofibroma,
    "VASC": _vascular,
    "SCC": _squamous,
}


def _blend(canvas: Field, color: Color, share: Field) -> None:
    canvas += (np.array(color, np.float32) - canvas) * share[:, :, None]


def _step(value: Field, softness: float) -> Field:
    share = np.clip(value / softness + 0.5, 0, 1)
    smooth: Field = share * share * (3 - 2 * share)
    return smooth


def _noise(rng: Rng, u: Field, v: Field, frequency: float, waves: int) -> Field:
    # Plane waves in random directions: smooth, and fixed to the lesion whatever the view.
    total = np.zeros_like(u)
    for _ in range(waves):
        angle, phase = rng.uniform(0, 2 * np.pi, 2)
        pace = frequency * rng.uniform(0.7, 1.3)
        x, y = np.float32(pace * np.cos(angle)), np.float32(pace * np.sin(angle))
        total += np.cos(x * u + y * v + np.float32(phase))
    return (total * np.float32(np.sqrt(2 / waves) / 1.4)).astype(np.float32)


def _outline(rng: Rng, u: Field, v: Field, low: int, high: int) -> Field:
    angle = np.arctan2(v, u)
    total = np.zeros_like(u)
    for count in range(low, high):
        total += np.cos(count * angle + np.float32(rng.uniform(0, 2 * np.pi)))
    return (total / np.float32(np.sqrt(high - low))).astype(np.float32)


def _away(u: Field, v: Field, x: float = 0.0, y: float = 0.0) -> Field:
    distance: Field = np.hypot(u - x, v - y)
    return distance


def _polar(radius: float, angle: float) -> tuple[float, float]:
    return float(radius * np.cos(angle)), float(radius * np.sin(angle))


def _to_line(u: Field, v: Field, start: tuple[float, float], end: tuple[float, float]) -> Field:
    x, y = end[0] - start[0], end[1] - start[1]
    along = np.clip(((u - start[0]) * x + (v - start[1]) * y) / (x * x + y * y), 0, 1)
    away: Field = np.hypot(u - start[0] - along * x, v - start[1] - along * y)
    return away


def _hairs(canvas: Field, rng: Rng) -> None:
    height_px, width_px = canvas.shape[:2]
    rows = np.arange(height_px, dtype=np.float32)[:, None]
    columns = np.arange(width_px, dtype=np.float32)[None, :]
    for _ in range(int(rng.integers(0, 4))):
        angle = rng.uniform(0, np.pi)
        x, y = rng.uniform(0, width_px), rng.uniform(0, height_px)
        cos, sin = float(np.cos(angle)), float(np.sin(angle))
        along = (columns - x) * cos + (rows - y) * sin
        across = (rows - y) * cos - (columns - x) * sin
        bow = rng.uniform(-0.6, 0.6) / max(height_px, width_px)
        away = np.abs(across - bow * along * along)
        _blend(canvas, (48, 34, 28), 0.75 * _step(0.7 - away, 1.2))
