"""Compare a `.tflite` file with its Keras model as people write it by hand: parity_time.py's peer.

Usage: judge_by_hand.py MODEL.keras MODEL.tflite IMAGE...

Keras' `predict` and one single-thread interpreter, image by image.
"""

from __future__ import annotations

import sys

import keras
import numpy as np
import tensorflow as tf
from PIL import Image


def main(model_path: str, tflite_path: str, *images: str) -> None:
    model = keras.models.load_model(model_path)
    _, height, width, _ = model.input_shape
    interpreter = tf.lite.Interpreter(tflite_path, num_threads=1)
    interpreter.allocate_tensors()
    (source,), (target,) = interpreter.get_input_details(), interpreter.get_output_details()
    agreed = 0
    for image in images:
        resized = Image.open(image).convert("RGB").resize((width, height), Image.BILINEAR)
        pixels = np.asarray(resized)[None]
        floats = pixels.astype(np.float32) / 127.5 - 1
        expected = model.predict(floats, verbose=0)
        interpreter.set_tensor(source["index"], pixels if source["dtype"] == np.uint8 else floats)
        interpreter.invoke()
        agreed += int(expected.argmax() == interpreter.get_tensor(target["index"]).argmax())
    print(agreed, len(images))


if __name__ == "__main__":
    main(*sys.argv[1:])
