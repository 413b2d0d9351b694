"""Export as people write it by hand: the peer that export_time.py runs beside ours.

Usage: by_hand.py MODEL.keras OUT.tflite float16|int8 IMAGE...
"""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf
from PIL import Image


def main(model_path: str, out: str, quantize: str, *images: str) -> None:
    model = keras.models.load_model(model_path)
    _, height, width, _ = model.input_shape
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    else:

        def representative():  # type: ignore[no-untyped-def]
            for image in images:
                pixels = Image.open(image).convert("RGB").resize((width, height), Image.BILINEAR)
                yield [np.asarray(pixels, np.float32)[None] / 127.5 - 1]

        converter.representative_dataset = representative
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.uint8
    with open(out, "wb") as stream:  # noqa: PTH123
        stream.write(converter.convert())


if __name__ == "__main__":
    main(*sys.argv[1:])
