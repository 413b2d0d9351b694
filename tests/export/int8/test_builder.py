"""The weights of one small network, as every release has made them."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.contract.choices import Io, Step
from pipeline.contract.image import ImageContract
from pipeline.export.int8.builder import Int8Builder
from pipeline.progress import silent
from tests.export.int8.graphs import values_of
from tests.export.int8.steps.test_equalization import bottleneck

IMAGE = ImageContract(height_px=32, width_px=32)
PIXELS = np.random.default_rng(6).integers(0, 256, (7, 32, 32, 3), dtype=np.uint8)
CORRECTED = (Step.ranges, Step.bias_correction)
ALL_8_BITS = (*CORRECTED, Step.rounding, Step.equalization)
WEIGHTS = {
    CORRECTED: {
        "expand": [8, 127, 68, 127, 91, 2, 89, 127, 121, 93, 126, 127],
        "project": [-90, -127, 65, 101, 108, -19, -127, -36],
        "read": [75, 127, -80, -127, -43, 127],
    },
    ALL_8_BITS: {
        "expand": [8, 127, 68, 127, 91, 2, 89, 127, 121, 93, 126, 127],
        "project": [-90, -127, 66, 101, 108, -19, -126, -36],
        "read": [127, 32, -127, -30, -127, 56],
    },
}
BIASES = {
    CORRECTED: {
        "expand": [30295, 72910, 33827, 33876],
        "depthwise": [5318, 127, 6288, -5000],
        "project": [-5, -28],
        "read": [-501438, -151819, 190302],
    },
    ALL_8_BITS: {
        "expand": [30295, 72910, 33827, 33876],
        "depthwise": [5318, 1099, 113687, -320426],
        "project": [-27, -52],
        "read": [-807830, -229013, 533136],
    },
}


@pytest.mark.parametrize("steps", [CORRECTED, ALL_8_BITS], ids=["corrected", "all in 8 bits"])
def test_the_same_model_and_images_give_the_weights_of_earlier_releases(
    steps: tuple[Step, ...],
) -> None:
    graph = Int8Builder(bottleneck(), PIXELS, IMAGE, Io.uint8, 0, silent).build(steps)
    for name, wanted in WEIGHTS[steps].items():
        assert values_of(graph, f"{name}/weights").reshape(-1).tolist() == wanted
    for name, wanted in BIASES[steps].items():
        # Sums in floats differ in their last bits between processors.
        assert values_of(graph, f"{name}/bias") == pytest.approx(wanted, rel=1e-5, abs=1)
