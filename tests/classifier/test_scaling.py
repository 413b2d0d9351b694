from __future__ import annotations

from typing import Any

import pytest

from pipeline.classifier.applications import APPLICATIONS, recognise
from pipeline.classifier.layers import read_layers
from pipeline.classifier.rebuild import rebuilt_config
from pipeline.classifier.scaling import read_scaling


def sequential(*layers: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    listed = [
        {"class_name": name, "config": {"name": f"layer_{i}", **config}}
        for i, (name, config) in enumerate(layers)
    ]
    return {"class_name": "Sequential", "config": {"name": "made", "layers": listed}}


INPUT = ("InputLayer", {"batch_shape": [None, 8, 8, 3], "dtype": "float32"})
CONV = ("Conv2D", {"filters": 4})


def rescaling(scale: Any, offset: Any = 0.0) -> tuple[str, dict[str, Any]]:
    return ("Rescaling", {"scale": scale, "offset": offset})


@pytest.mark.parametrize(
    ("layers", "takes"),
    [
        ([CONV], None),
        ([CONV, rescaling(1 / 255)], None),
        ([rescaling(1 / 255)], "raw"),
        ([rescaling(1 / 127.5, -1)], "raw"),
        ([rescaling(1.0, [-103.939, -116.779, -123.68])], "raw"),
        ([rescaling([1 / 58.4, 1 / 57.1, 1 / 57.4], [-2.1, -2.0, -1.8])], "raw"),
        ([rescaling(255.0)], "unit"),
        ([rescaling(2.0, -1.0)], "unit"),
        ([rescaling(127.5, 127.5)], "tf"),
        ([rescaling(255.0), rescaling(1 / 127.5, -1)], "unit"),
        ([rescaling(127.5, 127.5), rescaling(1 / 255)], "tf"),
        ([("Normalization", {"mean": None, "variance": None})], "raw"),
        ([("Normalization", {"mean": [124.0], "variance": [3400.0]})], "raw"),
        ([("Normalization", {"mean": [0.485, 0.456, 0.406], "variance": [0.05] * 3})], "unit"),
        ([rescaling(1 / 255), ("Normalization", {"mean": [0.45], "variance": [0.05]})], "raw"),
        ([("RandomFlip", {}), ("Resizing", {"height": 4, "width": 4}), rescaling(1 / 255)], "raw"),
        ([("RandomFlip", {}), CONV], None),
    ],
)
def test_what_a_model_takes_follows_from_what_it_scales(
    layers: list[tuple[str, dict[str, Any]]], takes: str | None
) -> None:
    found = read_scaling(read_layers(sequential(INPUT, *layers, CONV)))
    assert (None if found is None else found.takes) == takes


@pytest.mark.parametrize(
    ("name", "family", "takes"),
    [
        ("mobilenetv2_1.00_224", "MobileNetV2", "tf"),
        ("mobilenet_1.00_224", "MobileNet", "tf"),
        ("MobileNetV3Small", "MobileNetV3", "tf"),
        ("efficientnetb0", "EfficientNet", "raw"),
        ("efficientnetv2-b0", "EfficientNetV2", "tf"),
        ("resnet50", "ResNet", "caffe"),
        ("resnet101", "ResNet", "caffe"),
        ("resnet50v2", "ResNetV2", "tf"),
        ("vgg16", "VGG", "caffe"),
        ("densenet121", "DenseNet", "torch"),
        ("xception", "Xception", "tf"),
        ("inception_v3", "InceptionV3", "tf"),
        ("inception_resnet_v2", "InceptionResNetV2", "tf"),
        ("nasnet_mobile", "NASNet", "tf"),
        ("NASNet", "NASNet", "tf"),
        ("convnext_tiny", "ConvNeXt", "torch"),
        ("sequential_1", None, None),
        ("my_resnet50", None, None),
    ],
)
def test_a_network_is_known_by_its_name(name: str, family: str | None, takes: str | None) -> None:
    config = sequential(INPUT, CONV)
    config["config"]["name"] = name
    found = recognise(read_layers(config))
    assert (None if found is None else found.application.family) == family
    assert (None if found is None else found.application.takes) == takes


@pytest.mark.parametrize("application", [a for a in APPLICATIONS if a.layer_names])
def test_a_network_is_known_by_its_layers(application: Any) -> None:
    config = sequential(*(("Conv2D", {"name": name}) for name in application.layer_names))
    found = recognise(read_layers(config))
    assert found is not None
    assert found.application == application


def test_a_configuration_is_rebuilt_in_float32() -> None:
    policy = {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    old = {"class_name": "Policy", "config": {"name": "mixed_bfloat16"}}
    config = sequential(
        ("InputLayer", {"batch_shape": [1, 8, 8, 3], "dtype": "uint8"}),
        ("Conv2D", {"dtype": policy}),
        ("DepthwiseConv2D", {"dtype": old, "groups": 1}),
        ("Dense", {"dtype": "float64"}),
        ("Dense", {"dtype": "float32"}),
    )
    rebuilt = rebuilt_config(config, (8, 8))
    inner = [layer["config"] for layer in rebuilt["config"]["layers"]]
    assert [layer["dtype"] for layer in inner] == ["float32"] * 5
    assert inner[0]["batch_shape"] == [None, 8, 8, 3]
    assert "groups" not in inner[2]
    assert config["config"]["layers"][0]["config"]["dtype"] == "uint8"
    assert rebuilt_config(rebuilt, (8, 8)) == rebuilt


def test_what_keras_2_writes_and_keras_3_does_not_take_is_left_out() -> None:
    config = sequential(
        INPUT,
        ("RandomFlip", {"rng_type": "stateful", "mode": "horizontal"}),
        ("BatchNormalization", {"axis": [3]}),
        ("Softmax", {"axis": -1}),
        ("SeparableConv2D", {"kernel_initializer": None, "depthwise_initializer": None}),
        (
            "Functional",
            {"layers": [], "input_layers": [["a", 0, 0]], "output_layers": [["b", 0, 0]]},
        ),
    )
    inner = [layer["config"] for layer in rebuilt_config(config, (8, 8))["config"]["layers"]]
    assert "rng_type" not in inner[1]
    assert inner[2]["axis"] == 3
    assert inner[3]["axis"] == -1
    assert inner[4].keys() == {"name", "depthwise_initializer"}
    assert inner[5]["output_layers"] == ["b", 0, 0]


def test_calls_of_nested_sequential_models_are_counted_from_0() -> None:
    nested = {
        "class_name": "Sequential",
        "name": "augmentation",
        "config": {"name": "augmentation", "layers": []},
        "inbound_nodes": [[["pixels", 0, 0, {}]]],
    }
    scaled = {
        "class_name": "Rescaling",
        "name": "scaled",
        "config": {"name": "scaled"},
        "inbound_nodes": [[["augmentation", 1, 0, {}]]],
    }
    config = {
        "class_name": "Functional",
        "config": {"layers": [nested, scaled], "output_layers": [["scaled", 0, 0]]},
    }
    rebuilt = rebuilt_config(config, (8, 8))
    assert rebuilt["config"]["layers"][1]["inbound_nodes"] == [[["augmentation", 0, 0, {}]]]


def test_a_sequential_model_that_was_never_told_its_input_is_built_for_the_size() -> None:
    rebuilt = rebuilt_config(sequential(CONV), (24, 40))
    assert rebuilt["config"]["build_input_shape"] == [None, 24, 40, 3]
    told = sequential(INPUT, CONV)
    assert rebuilt_config(told, (24, 40)) == told
