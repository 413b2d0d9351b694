"""Recognise the networks of `keras.applications` and say what input each was trained with.

Sources: the `preprocess_input` and the docstring of each network in `keras.applications`. A new
network is one more entry here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.classifier.layers import Layer, leaves, nested_models
from pipeline.contract.normalization import NormalizationName

tf, torch, caffe = NormalizationName.tf, NormalizationName.torch, NormalizationName.caffe
raw = NormalizationName.raw


@dataclass(frozen=True)
class Application:
    """Describe one family.

    `model_name` matches the name that Keras gives the model; `layer_names` are names of layers,
    all of which must be there, where the model's name is lost. `takes` is its input where it has
    no scaling layers of its own.
    """

    family: str
    takes: NormalizationName
    model_name: str
    layer_names: tuple[str, ...]


# In order: a family comes before those whose layer names are among its own.
APPLICATIONS = (
    Application(
        "MobileNetV3", tf, r"mobilenetv3.*", ("expanded_conv_project", "expanded_conv_2_project")
    ),
    Application(
        "MobileNetV2",
        tf,
        r"mobilenetv2.*",
        ("bn_Conv1", "expanded_conv_project", "block_16_project"),
    ),
    Application("MobileNet", tf, r"mobilenet_.*", ("conv_dw_1", "conv_pw_13")),
    Application(
        "EfficientNet", raw, r"efficientnetb\d", ("stem_conv", "block1a_dwconv", "top_conv")
    ),
    Application(
        "EfficientNetV2", tf, r"efficientnetv2.*", ("stem_conv", "block1a_project_conv", "top_conv")
    ),
    Application(
        "ResNetV2", tf, r"resnet\d+v2", ("conv1_conv", "conv2_block1_preact_bn", "post_bn")
    ),
    Application("ResNet", caffe, r"resnet\d+", ("conv1_conv", "conv1_bn", "conv5_block3_3_conv")),
    Application("DenseNet", torch, r"densenet\d+", ("conv2_block1_0_bn", "pool4_conv")),
    Application("Xception", tf, r"xception", ("block1_conv1", "block14_sepconv2")),
    Application("VGG", caffe, r"vgg\d+", ("block1_conv1", "block5_conv3")),
    Application(
        "InceptionResNetV2", tf, r"inception_resnet_v2", ("mixed_5b", "conv_7b", "conv_7b_bn")
    ),
    Application("InceptionV3", tf, r"inception_v3", ("mixed0", "mixed10", "mixed9_1")),
    Application("NASNet", tf, r"nasnet.*", ("stem_conv1", "stem_bn1", "normal_add_1_0")),
    Application("ConvNeXt", torch, r"convnext_.*", ()),
    Application("RegNet", raw, r"regnet.*", ()),
    Application("ResNetRS", raw, r"resnet-rs-.*", ()),
)


@dataclass(frozen=True)
class Recognised:
    """Hold a family, and the name it was recognised by: the model's, or a layer's."""

    application: Application
    evidence: str


def recognise(model: Layer) -> Recognised | None:
    """Return which network of `keras.applications` a model is or contains, None if none."""
    models = list(nested_models(model))
    for inner in models:
        for application in APPLICATIONS:
            if re.fullmatch(application.model_name, inner.name.lower()):
                return Recognised(application, inner.name)
    # Keras 2 has a slash where Keras 3 has an underscore.
    names = {layer.name.replace("/", "_") for layer in leaves(model)}
    for application in APPLICATIONS:
        if application.layer_names and names.issuperset(application.layer_names):
            return Recognised(application, application.layer_names[0])
    # Its layers all begin with the model's name.
    stem = next((name for name in names if re.fullmatch(r"convnext_\w+_stem", name)), None)
    if stem is not None:
        return Recognised(next(a for a in APPLICATIONS if a.family == "ConvNeXt"), stem)
    return None
