"""Collect what the float model's activations do on the representative images.

Child process only: imports LiteRT.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.contract.image import ImageContract
from pipeline.export.int8.kernels import Tapped
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import Array, activations
from pipeline.tflite.flatbuffer import Model, text

Float32 = npt.NDArray[np.float32]

_SAMPLES_AN_IMAGE = 2048


@dataclass
class TensorStatistics:
    """Hold one activation's statistics over all representative images.

    channel_low, channel_high: float32 (channels,), the extremes
    of each channel. mean: the mean over the images, in the tensor's own shape (1, ...).
    samples: float32 (n,), values drawn evenly from all images, or all of them where they are few.
    """

    channel_low: Float32
    channel_high: Float32
    mean: Float32
    samples: Float32 = field(repr=False)

    @property
    def low(self) -> float:
        """Return the smallest value."""
        return float(self.channel_low.min())

    @property
    def high(self) -> float:
        """Return the largest value."""
        return float(self.channel_high.max())


Statistics = dict[str, TensorStatistics]


class _Gathering:
    def __init__(self) -> None:
        self.channel_low: Float32 | None = None
        self.channel_high: Float32 | None = None
        self.total: Float32 | None = None
        self.samples: list[Float32] = []

    def add(self, values: Float32, random: np.random.Generator) -> None:
        rows = values.reshape(-1, values.shape[-1])
        low, high = rows.min(axis=0), rows.max(axis=0)
        if self.total is None or self.channel_low is None or self.channel_high is None:
            self.total, self.channel_low, self.channel_high = values.copy(), low, high
        else:
            self.total += values
            np.minimum(self.channel_low, low, out=self.channel_low)
            np.maximum(self.channel_high, high, out=self.channel_high)
        flat = values.reshape(-1)
        few = flat.size <= _SAMPLES_AN_IMAGE
        kept = flat.copy() if few else flat[random.integers(0, flat.size, _SAMPLES_AN_IMAGE)]
        self.samples.append(kept)

    def done(self, images: int) -> TensorStatistics:
        assert self.total is not None
        assert self.channel_low is not None
        assert self.channel_high is not None
        return TensorStatistics(
            channel_low=self.channel_low,
            channel_high=self.channel_high,
            mean=self.total / np.float32(images),
            samples=np.concatenate(self.samples),
        )


def collect_statistics(
    model: Model,
    levels: Sequence[Pixels] | Array,
    image: ImageContract,
    *,
    seed: int,
    report: Report,
) -> Statistics:
    """Run the float model over contract-sized grey levels and watch every activation.

    Args:
        model: a float32 model of one input.
        levels: uint8 images of the contract's size, at least one.
        image: gives the normalization.
        seed: of the drawn samples.
        report: receives progress.

    Returns:
        Statistics by tensor name, the input's among them.
    """
    main = model.subgraphs[0]
    tapped = Tapped(model, activations(model))
    gathered = {name: _Gathering() for name in tapped.names}
    entry = text(main.tensors[int(main.inputs[0])].name)
    gathered[entry] = _Gathering()
    random = np.random.default_rng(seed)
    for done, pixels in enumerate(levels):
        report(ProgressEvent("calibrate", done, len(levels)))
        values = normalize(pixels, image)[None]
        tapped.run(values)
        gathered[entry].add(values, random)
        for position, name in enumerate(tapped.names):
            gathered[name].add(tapped.read(position), random)
    report(ProgressEvent("calibrate", len(levels), len(levels)))
    return {name: one.done(len(levels)) for name, one in gathered.items()}
