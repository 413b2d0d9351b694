"""Build a tiny network for each operator and convert it as TensorFlow does. Child process only.

Each network is a convolution, what is to be tried, and a small classifier behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.contract.recipe import Quantize, Recipe
from pipeline.export.convert import convert_keras
from pipeline.progress import Report

SIZE_PX = 32
IMAGE = ImageContract(height_px=SIZE_PX, width_px=SIZE_PX)
CLASSES = 5
_CALIBRATED = 8


class Conversions(Frozen):
    """Ask for NAME.float.tflite and NAME.int8.tflite of each named network in `folder`."""

    folder: str
    names: tuple[str, ...]


class Converted(Frozen):
    """Name what was written, and what TensorFlow itself could not convert to full int8."""

    names: tuple[str, ...]
    refused: tuple[str, ...]


def pictures(count: int, size_px: int = SIZE_PX) -> np.ndarray[Any, Any]:
    """Return blocks of random colour, uint8 (count, size_px, size_px, 3)."""
    side = -(-size_px // 8)
    small = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), np.uint8)
    return small.repeat(8, 1).repeat(8, 2)[:, :size_px, :size_px]


def networks() -> dict[str, Callable[[Any], Any]]:
    """Return what is tried, by name: a function from a (None, 16, 16, 8) tensor to another."""
    from keras import layers, ops

    def squeeze_and_excite(x: Any) -> Any:
        gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = layers.Conv2D(4, 1, activation="relu")(gate)
        return x * layers.Conv2D(8, 1, activation="sigmoid")(gate)

    def hard_swish(x: Any) -> Any:
        return x * layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    def pair(x: Any) -> list[Any]:
        return [x, layers.Conv2D(8, 1)(x)]

    return {
        "add": lambda x: layers.Add()(pair(x)),
        "average_pool": lambda x: layers.AveragePooling2D(3, 1, padding="same")(x),
        "average_pool_halving": lambda x: layers.AveragePooling2D(2)(x),
        "concatenate": lambda x: layers.Concatenate()(pair(x)),
        "concatenate_sigmoid": lambda x: layers.Concatenate()([x, ops.sigmoid(x)]),
        "convolution_without_bias": lambda x: layers.Conv2D(8, 3, use_bias=False)(x),
        "convolution_dilated": lambda x: layers.Conv2D(8, 3, dilation_rate=2)(x),
        "convolution_grouped": lambda x: layers.Conv2D(8, 3, groups=4)(x),
        "convolution_grouped_pointwise": lambda x: layers.Conv2D(8, 1, groups=2)(x),
        "crop": lambda x: layers.Cropping2D(((1, 0), (1, 0)))(x),
        "dense_on_pixels": lambda x: layers.Dense(6)(x),
        "dense_on_one_pixel": lambda x: layers.Dense(6)(
            layers.GlobalAveragePooling2D(keepdims=True)(x)
        ),
        "depthwise": lambda x: layers.DepthwiseConv2D(3)(x),
        "depthwise_multiplier": lambda x: layers.DepthwiseConv2D(3, depth_multiplier=2)(x),
        "divide_by_constant": lambda x: x / 3.0,
        "slice_with_stride": lambda x: x[:, ::2, ::2, :],
        "flatten": lambda x: layers.Reshape((1, 1, 32))(
            layers.Dense(32)(layers.Flatten()(layers.MaxPooling2D(4)(x)))
        ),
        "gelu": lambda x: ops.gelu(x),
        "hard_swish": hard_swish,
        "layer_normalization": lambda x: layers.LayerNormalization()(x),
        "max_pool": lambda x: layers.MaxPooling2D()(x),
        "maximum": lambda x: layers.Maximum()(pair(x)),
        "mean_keeping_dimensions": squeeze_and_excite,
        "multiply": lambda x: layers.Multiply()(pair(x)),
        "multiply_by_constant": lambda x: x * np.linspace(0.5, 2, 8).astype(np.float32),
        "negate": lambda x: -x,
        "normalization_alone": lambda x: layers.BatchNormalization()(layers.ReLU()(pair(x)[0])),
        "pad": lambda x: layers.ZeroPadding2D(3)(x),
        "relu": lambda x: layers.ReLU()(layers.Concatenate()(pair(x))),
        "relu6": lambda x: layers.ReLU(6.0)(layers.Concatenate()(pair(x))),
        "reshape": lambda x: layers.Reshape((8, 32, 8))(x),
        "sigmoid": lambda x: ops.sigmoid(x),
        "squeeze": lambda x: layers.Reshape((1, 1, 8))(
            layers.Dense(8)(ops.squeeze(layers.MaxPooling2D(16)(x), (1, 2)))
        ),
        "subtract": lambda x: layers.Subtract()(pair(x)),
        "swish": lambda x: ops.silu(x),
        "tanh": lambda x: ops.tanh(x),
        "transpose": lambda x: layers.Permute((2, 1, 3))(x),
        "upsample": lambda x: layers.UpSampling2D()(x),
        "upsample_bilinear": lambda x: layers.UpSampling2D(interpolation="bilinear")(x),
    }


def build(name: str) -> Any:
    """Return a Keras classifier, float32 (1, 32, 32, 3) to CLASSES probabilities."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    entry = layers.Input((SIZE_PX, SIZE_PX, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", bias_initializer="normal")(entry)
    x = networks()[name](x)
    x = layers.Conv2D(6, 1, activation="relu", bias_initializer="normal")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(entry, layers.Dense(CLASSES, activation="softmax")(x))


def float_bytes(model: Any, image: ImageContract = IMAGE) -> bytes:
    """Return the float32 file that the project's own converter makes."""
    recipe = Recipe(quantize=Quantize.float32, io=Io.float32)
    return convert_keras(model, image, recipe, on_step=lambda _: None)


def convert_operator_networks(request: Conversions, report: Report) -> Converted:
    """Write each network in floats, and in full int8 by `TFLiteConverter`, int8 in and out."""
    import tensorflow as tf

    del report
    images = (pictures(_CALIBRATED).astype(np.float32) - 127.5) / 127.5
    refused = []
    for name in request.names:
        folder, model = Path(request.folder), build(name)
        (folder / f"{name}.float.tflite").write_bytes(float_bytes(model))
        converter = tf.lite.TFLiteConverter.from_keras_model(model)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = True
        try:
            (folder / f"{name}.int8.tflite").write_bytes(converter.convert())
        except Exception as error:  # The converter raises bare Exception and its own kinds.
            print(name, error)
            refused.append(name)
    return Converted(names=request.names, refused=tuple(refused))
