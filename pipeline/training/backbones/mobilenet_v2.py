"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381), from keras.applications."""

from __future__ import annotations

from typing import Any, Literal

from pipeline.training.backbones.interface import Backbone


def _build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
    import keras

    return keras.applications.MobileNetV2(
        input_tensor=inputs, include_top=False, weights=weights, alpha=width
    )


BACKBONE = Backbone(
    name="mobilenet_v2",
    title="MobileNetV2",
    build=_build,
    # (height/16, width/16, 64) at width 1. The blocks before it see edges and colours, cost half of
    # the forward pass, and fit into a cache here better than anywhere else.
    trunk_output="block_6_project_BN",
    # It halves the image five times.
    size_multiple_px=32,
    mean=127.5,
    std=127.5,
    imagenet_widths=(0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
)
