"""Measure a float model's own noise: its answers while every pixel moves a little at random.

Child process only: imports LiteRT.

No file of 8 bits can be steadier than the float model it follows. Rounding a pixel moves it by up
to half a value, and a camera's own noise is larger than one: a model whose class changes under
that is fragile by itself, and says so before anybody blames the quantization.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from pipeline.contract.image import ImageContract
from pipeline.contract.noise import CriticalFlips, MeasuredNoise, NoiseFloor, NoiseLevel
from pipeline.export.int8.inputs import load_model, load_pixels
from pipeline.export.int8.kernels import Kernel
from pipeline.export.int8.request import NoiseRequest
from pipeline.export.int8.threads import in_threads
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import Array, pack
from pipeline.tflite.flatbuffer import Model

Float32 = npt.NDArray[np.float32]

# In values of an 8-bit pixel, rising.
PIXEL_STEPS = (0.5, 1.0)
_LARGEST_PIXEL = 255.0


def noise_child(request: NoiseRequest, report: Report) -> MeasuredNoise:
    """Measure the float file's own noise on the images asked for.

    Raises:
        BadInput: the file or an image changed, or an image cannot be decoded.
    """
    model, image, names = load_model(request.float_file), request.image, request.labels.names
    pixels = load_pixels(request.images, image, "read the images for the noise floor", report)
    critical = {name: names.index(name) for name in request.labels.critical}
    floor = noise_floor(model, pixels, image, critical, seed=request.seed, report=report)
    return MeasuredNoise(image_ids=tuple(one.sha256 for one in request.images), floor=floor)


def noise_floor(
    model: Model,
    pixels: Array,
    image: ImageContract,
    critical: Mapping[str, int],
    *,
    seed: int,
    report: Report,
    reference: Float32 | None = None,
) -> NoiseFloor:
    """Compare the float model with itself at each level of noise.

    Args:
        model: float32, of one input and one output of probabilities.
        pixels: uint8 (n, height, width, 3), resized, n at least 1.
        image: gives the normalization.
        critical: label index by name of the classes whose flips are counted.
        seed: of the noise; each image has noise of its own, whatever the cores.
        report: receives progress.
        reference: float32 (n, classes), the model's answers to `pixels` where they are known.
    """
    data, count = pack(model), len(pixels)
    known = reference is not None
    asked = PIXEL_STEPS if known else (0.0, *PIXEL_STEPS)

    def answer(part: range) -> list[Float32]:
        kernel = Kernel(data)
        rows = []
        for index in part:
            if part.start == 0:
                report(ProgressEvent("noise floor", index * count // len(part), count))
            moved = (noisy(pixels[index], steps, [seed, index], image) for steps in asked)
            rows.append(np.stack([kernel(one[None])[0] for one in moved]))
        return rows

    parts = in_threads(count, answer)
    answers = np.stack([row for part in parts for row in part])
    report(ProgressEvent("noise floor", count, count))
    before = answers[:, 0] if reference is None else reference
    levels = tuple(
        level_of(steps, before, answers[:, position - len(PIXEL_STEPS)], critical)
        for position, steps in enumerate(PIXEL_STEPS)
    )
    return NoiseFloor(images=count, seed=seed, levels=levels)


def noisy(pixels: Array, steps: float, seed: list[int], image: ImageContract) -> Float32:
    """Return the normalized image with every value moved evenly by at most `steps`.

    The same seed gives the same directions at every level. Values stay within 0 to 255.

    Args:
        pixels: uint8, of any shape.
        steps: in values of an 8-bit pixel; 0 leaves them as they are.
        seed: of the image's noise.
        image: gives the normalization.
    """
    directions = np.random.default_rng(seed).random(pixels.shape, np.float32) * 2 - 1
    moved = np.clip(pixels + np.float32(steps) * directions, 0, _LARGEST_PIXEL)
    normalized: Float32 = (moved - np.float32(image.mean)) / np.float32(image.std)
    return normalized


def level_of(
    steps: float, before: Float32, after: Float32, critical: Mapping[str, int]
) -> NoiseLevel:
    """Return what noise did to the answers, float32 (n, classes) before and after."""
    was, became = before.argmax(axis=1), after.argmax(axis=1)
    flips = {
        name: CriticalFlips(
            into=int(((was != label) & (became == label)).sum()),
            out_of=int(((was == label) & (became != label)).sum()),
        )
        for name, label in critical.items()
    }
    return NoiseLevel(
        pixel_steps=steps,
        agreement=float((was == became).mean()),
        mean_difference=float(np.abs(after - before).max(axis=1).mean()),
        flips=flips,
    )
