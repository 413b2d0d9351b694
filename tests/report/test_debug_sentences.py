"""What hurts a network, by its figures."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.contract.layer_errors import DebugReport, LayerFigures
from pipeline.contract.noise import NoiseFloor, NoiseLevel
from pipeline.report.debug_sentences import hurts_and_helps


def layer(name: str, **figures: Any) -> LayerFigures:
    values = {
        "operator": "CONV_2D",
        "float_low": -1.0,
        "float_high": 1.0,
        "int8_low": -1.0,
        "int8_high": 1.0,
        "sqnr_db": 30.0,
        "saturated_share": 0.0,
        "absolute_sum": 2.0,
        "weight_channel_ratio": 4.0,
    }
    return LayerFigures(name=f"model/{name}/op", **(values | figures))


def noise(agreement: float) -> NoiseFloor:
    levels = tuple(
        NoiseLevel(pixel_steps=steps, agreement=agreement, mean_difference=0.01)
        for steps in (0.5, 1.0)
    )
    return NoiseFloor(images=200, seed=0, levels=levels)


def said(*layers: LayerFigures, agreement: float | None = 0.99) -> tuple[str, str]:
    found = DebugReport(
        model="m",
        model_sha256="a" * 64,
        images=4,
        equalized=False,
        noise=None if agreement is None else noise(agreement),
        layers=layers,
    )
    *floor, hurts, helps = hurts_and_helps(found)
    assert len(floor) == (agreement is not None)
    return hurts, helps


EDGE = layer("edge", absolute_sum=12.0)
CUT = layer("cut", saturated_share=0.2, float_high=1.5)
# A ReLU6 reaches its 6 and goes no further.
FULL = layer("full", saturated_share=0.2, float_high=1.0)
WIDE = layer("wide", weight_channel_ratio=90.0)
EVEN = [layer(f"l{i}", alone=0.004) for i in range(4)]
FLOAT = layer("first", int8_low=None, int8_high=None)


@pytest.mark.parametrize(
    ("layers", "agreement", "hurts", "helps"),
    [
        ((EDGE, CUT, WIDE), 0.90, "itself changes its mind on 10.00%", "float16"),
        ((EDGE, CUT, WIDE), 0.95, "cut has 20.00% of its values", "--representative"),
        ((EDGE, WIDE), 0.99, "edge can enlarge the rounding of what it reads 12 times", "dither"),
        ((EDGE, WIDE), None, "edge can enlarge", "float16-prefix"),
        ((FULL, WIDE), 0.99, "wide has weights 90 times", "equalization"),
        ((layer("a"), layer("b", sqnr_db=9.5)), 0.99, "weakest layer is b, at 9.5 dB", "max"),
        (
            (FLOAT, layer("edge", absolute_sum=12.0, int8_low=None, int8_high=None), layer("c")),
            0.99,
            "nothing stands out",
            "max",
        ),
        ((*[layer(f"l{i}") for i in range(6)], EDGE), 0.99, "nothing stands out", "max"),
        ((*EVEN, layer("bad", alone=0.0125)), 0.99, "bad, which alone in 8 bits", "max"),
        ((*EVEN, layer("most", alone=0.0115)), 0.99, "nothing stands out; most costs", "max"),
        ((layer("tiny", alone=0.0001), layer("a", alone=0.0)), 0.99, "nothing stands out", "max"),
        (
            (layer("edge", absolute_sum=12.0, alone=0.02), WIDE),
            0.99,
            "alone in 8 bits it changes the probabilities by 0.0200",
            "dither",
        ),
    ],
    ids=[
        *("fragile", "cut", "edges", "not measured", "uneven", "nothing", "in floats", "far on"),
        *("one layer", "no one layer", "too little", "edges, measured"),
    ],
)
def test_the_first_cause_that_applies_is_named_with_what_helps(
    layers: tuple[LayerFigures, ...], agreement: float | None, hurts: str, helps: str
) -> None:
    found = said(*layers, agreement=agreement)
    assert hurts in found[0]
    assert helps in found[1]
