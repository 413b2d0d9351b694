"""MobileNet, the first (Howard et al. 2017, arXiv 1704.04861), from keras.applications.

Convolutions, depthwise convolutions and ReLU6 in one line, without additions between layers or
squeeze-and-excitation: what every runtime and accelerator of a phone runs as int8, down to 0.2
million parameters at width 0.25.
"""

from __future__ import annotations

from typing import Any, Literal

from pipeline.training.backbones.interface import Backbone


def _build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
    import keras

    return keras.applications.MobileNet(
        input_tensor=inputs, include_top=False, weights=weights, alpha=width
    )


BACKBONE = Backbone(
    name="mobilenet_v1",
    title="MobileNet v1",
    build=_build,
    # (height/16, width/16, 256) at width 1, the narrowest layer of that resolution. The network has
    # no bottlenecks, so this is still four times the cache of MobileNetV2.
    trunk_output="conv_dw_6_relu",
    # It halves the image five times.
    size_multiple_px=32,
    mean=127.5,
    std=127.5,
    imagenet_widths=(0.25, 0.5, 0.75, 1.0),
)
