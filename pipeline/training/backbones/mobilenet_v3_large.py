"""MobileNetV3-Large, from keras.applications."""

from __future__ import annotations

from pipeline.training.backbones.mobilenet_v3 import mobilenet_v3

BACKBONE = mobilenet_v3(
    name="mobilenet_v3_large",
    title="MobileNetV3-Large",
    application="MobileNetV3Large",
    # (height/16, width/16, 80) at width 1.
    trunk_output="expanded_conv_6_project_bn",
)
