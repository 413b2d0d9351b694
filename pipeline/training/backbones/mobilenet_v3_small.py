"""MobileNetV3-Small, from keras.applications."""

from __future__ import annotations

from pipeline.training.backbones.mobilenet_v3 import mobilenet_v3

BACKBONE = mobilenet_v3(
    name="mobilenet_v3_small",
    title="MobileNetV3-Small",
    application="MobileNetV3Small",
    # (height/16, width/16, 40) at width 1.
    trunk_output="expanded_conv_3_project_bn",
)
