"""EfficientNetV2-B0 (Tan and Le 2021, arXiv 2104.00298), from keras.applications.

Keras can leave the preprocessing out and then speaks of an input from -1 to 1, which is right for
its S, M and L alone: what it leaves out of the B networks is the scaling to 0..1 and the mean and
deviation of ImageNet, channel by channel. The image contract has one mean for all channels, so the
scaling stays inside, and the network takes the pixels as they are, 0 to 255.
"""

from __future__ import annotations

from typing import Any, Literal

from pipeline.training.backbones.interface import Backbone


def _build(inputs: Any, width: float, weights: Literal["imagenet"] | None) -> Any:
    import keras

    if width != 1.0:
        raise ValueError(f"EfficientNetV2-B0 has no width {width:g}")
    return keras.applications.EfficientNetV2B0(
        input_tensor=inputs, include_top=False, weights=weights, include_preprocessing=True
    )


BACKBONE = Backbone(
    name="efficientnet_v2_b0",
    title="EfficientNetV2-B0",
    build=_build,
    # (height/16, width/16, 96): the first block at that resolution, which adds nothing to itself.
    trunk_output="block4a_project_bn",
    # Its paddings fit any size, even or odd.
    size_multiple_px=1,
    mean=0.0,
    std=1.0,
    imagenet_widths=(1.0,),
    other_widths=False,
)
