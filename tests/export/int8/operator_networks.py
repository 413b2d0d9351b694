"""Build a tiny network for each operator and convert it as TensorFlow does. Child process only.

Each network is a convolution, what is to be tried, and a small classifier behind it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
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
    """Return blocks around a colour of each picture's own, uint8 (count, size_px, size_px, 3)."""
    random, side = np.random.default_rng(0), -(-size_px // 8)
    colours = random.uniform(0, 255, (count, 1, 1, 3))
    blocks = colours + random.normal(0, 40, (count, side, side, 3))
    small = np.clip(np.rint(blocks), 0, 255).astype(np.uint8)
    return small.repeat(8, 1).repeat(8, 2)[:, :size_px, :size_px]


def networks() -> dict[str, Callable[[Any, Any], Any]]:
    """Return what is tried, by name: a function of Keras and a (1, 16, 16, 8) tensor."""

    def squeeze_and_excite(k: Any, x: Any) -> Any:
        gate = k.layers.GlobalAveragePooling2D(keepdims=True)(x)
        gate = k.layers.Conv2D(4, 1, activation="relu")(gate)
        return x * k.layers.Conv2D(8, 1, activation="sigmoid")(gate)

    def hard_swish(k: Any, x: Any) -> Any:
        return x * k.layers.ReLU(6.0)(x + 3.0) * (1.0 / 6.0)

    def pair(k: Any, x: Any) -> list[Any]:
        return [x, k.layers.Conv2D(8, 1)(x)]

    return {
        "add": lambda k, x: k.layers.Add()(pair(k, x)),
        "average_pool": lambda k, x: k.layers.AveragePooling2D(3, 1, padding="same")(x),
        "average_pool_halving": lambda k, x: k.layers.AveragePooling2D(2)(x),
        "concatenate": lambda k, x: k.layers.Concatenate()(pair(k, x)),
        "concatenate_sigmoid": lambda k, x: k.layers.Concatenate()([x, k.ops.sigmoid(x)]),
        "convolution_without_bias": lambda k, x: k.layers.Conv2D(8, 3, use_bias=False)(x),
        "convolution_dilated": lambda k, x: k.layers.Conv2D(8, 3, dilation_rate=2)(x),
        "convolution_grouped": lambda k, x: k.layers.Conv2D(8, 3, groups=4)(x),
        "convolution_grouped_pointwise": lambda k, x: k.layers.Conv2D(8, 1, groups=2)(x),
        "crop": lambda k, x: k.layers.Cropping2D(((1, 0), (1, 0)))(x),
        "dense_on_pixels": lambda k, x: k.layers.Dense(6)(x),
        "dense_on_one_pixel": lambda k, x: k.layers.Dense(6)(
            k.layers.GlobalAveragePooling2D(keepdims=True)(x)
        ),
        "depthwise": lambda k, x: k.layers.DepthwiseConv2D(3)(x),
        "depthwise_multiplier": lambda k, x: k.layers.DepthwiseConv2D(3, depth_multiplier=2)(x),
        "divide_by_constant": lambda _, x: x / 3.0,
        "slice_with_stride": lambda _, x: x[:, ::2, ::2, :],
        "flatten": lambda k, x: k.layers.Reshape((1, 1, 32))(
            k.layers.Dense(32)(k.layers.Flatten()(k.layers.MaxPooling2D(4)(x)))
        ),
        "gelu": lambda k, x: k.ops.gelu(x),
        "hard_swish": hard_swish,
        "layer_normalization": lambda k, x: k.layers.LayerNormalization()(x),
        "max_pool": lambda k, x: k.layers.MaxPooling2D()(x),
        "max_pool_of_every_other": lambda k, x: k.layers.MaxPooling2D(1, 2)(x),
        "maximum": lambda k, x: k.layers.Maximum()(pair(k, x)),
        "mean_keeping_dimensions": squeeze_and_excite,
        "multiply": lambda k, x: k.layers.Multiply()(pair(k, x)),
        "multiply_by_constant": lambda _, x: x * np.linspace(0.5, 2, 8).astype(np.float32),
        "negate": lambda _, x: -x,
        "normalization_alone": lambda k, x: k.layers.BatchNormalization()(
            k.layers.ReLU()(pair(k, x)[0])
        ),
        "pad": lambda k, x: k.layers.ZeroPadding2D(3)(x),
        "relu": lambda k, x: k.layers.ReLU()(k.layers.Concatenate()(pair(k, x))),
        "relu6": lambda k, x: k.layers.ReLU(6.0)(k.layers.Concatenate()(pair(k, x))),
        "reshape": lambda k, x: k.layers.Reshape((8, 32, 8))(x),
        "sigmoid": lambda k, x: k.ops.sigmoid(x),
        "squeeze": lambda k, x: k.layers.Reshape((1, 1, 8))(
            k.layers.Dense(8)(k.ops.squeeze(k.layers.MaxPooling2D(16)(x), (1, 2)))
        ),
        "subtract": lambda k, x: k.layers.Subtract()(pair(k, x)),
        "swish": lambda k, x: k.ops.silu(x),
        "tanh": lambda k, x: k.ops.tanh(x),
        "transpose": lambda k, x: k.layers.Permute((2, 1, 3))(x),
        "upsample": lambda k, x: k.layers.UpSampling2D()(x),
        "upsample_bilinear": lambda k, x: k.layers.UpSampling2D(interpolation="bilinear")(x),
    }


def build(name: str) -> Any:
    """Return a Keras classifier, float32 (1, 32, 32, 3) to CLASSES probabilities."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(5)
    # One image, as the project's own files take: with any number of them the converter writes
    # operators that compute shapes.
    entry = layers.Input((SIZE_PX, SIZE_PX, 3), batch_size=1)
    x = layers.Conv2D(8, 3, strides=2, padding="same", bias_initializer="normal")(entry)
    x = networks()[name](keras, x)
    x = layers.Conv2D(6, 1, activation="relu", bias_initializer="normal")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(entry, layers.Dense(CLASSES, activation="softmax")(x))


def float_bytes(model: Any, image: ImageContract = IMAGE) -> bytes:
    """Return the float32 file that the project's own converter makes."""
    return convert_keras(model, image, on_step=lambda _: None)


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
