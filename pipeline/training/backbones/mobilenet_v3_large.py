"""MobileNetV3-Large (Howard et al. 2019, arXiv 1905.02244), from keras.applications.

Not the minimalistic variant: that one trades squeeze-and-excitation, hard-swish and 5x5 kernels for
speed on accelerators. Keras would scale 0..255 inside the network; here that is left out, so that
the image contract says what the input is, and the input is from -1 to 1.
"""

from __future__ import annotations

from typing import Any, Literal

from pipeline.training.backbones.interface import Backbone


def _build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
    import keras

    return keras.applications.MobileNetV3Large(
        input_tensor=inputs,
        include_top=False,
        weights=weights,
        alpha=width,
        minimalistic=False,
        include_preprocessing=False,
    )


BACKBONE = Backbone(
    name="mobilenet_v3_large",
    title="MobileNetV3-Large",
    build=_build,
    # (height/16, width/16, 80) at width 1: the first block at that resolution, which adds nothing
    # to itself, so that no layer after it reads one before it.
    trunk_output="expanded_conv_6_project_bn",
    # It halves the image five times.
    size_multiple_px=32,
    mean=127.5,
    std=127.5,
    imagenet_widths=(0.75, 1.0),
)
