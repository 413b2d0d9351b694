"""Collect what the float model's activations do on the representative images.

Child process only: imports LiteRT.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.contract.image import ImageContract
from pipeline.export.int8.kernels import ActivationProbe
from pipeline.export.int8.threads import FIXED_PARTS, in_threads
from pipeline.imaging.decode import Pixels
from pipeline.imaging.preprocess import normalize
from pipeline.progress import ProgressEvent, Report
from pipeline.tflite.edit import Array, activations
from pipeline.tflite.flatbuffer import Model, dtype_name, text

Float32 = npt.NDArray[np.float32]

_SAMPLES_AN_IMAGE = 2048
_LONG_ROW = 1024


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


@dataclass
class _Gathering:
    """Hold what is known after some images; `total` is their sum."""

    channel_low: Float32
    channel_high: Float32
    total: Float32
    samples: list[Float32]

    @classmethod
    def of(cls, values: Float32, random: np.random.Generator) -> _Gathering:
        """Return what one image's values, which are not kept, say."""
        return cls(
            _by_channel(values, np.min),
            _by_channel(values, np.max),
            values.copy(),
            [_drawn(values, random)],
        )

    def add(self, values: Float32, random: np.random.Generator) -> None:
        """Join what one more image's values, which are not kept, say."""
        np.minimum(self.channel_low, _by_channel(values, np.min), out=self.channel_low)
        np.maximum(self.channel_high, _by_channel(values, np.max), out=self.channel_high)
        self.total += values
        self.samples.append(_drawn(values, random))

    def join(self, later: _Gathering) -> None:
        np.minimum(self.channel_low, later.channel_low, out=self.channel_low)
        np.maximum(self.channel_high, later.channel_high, out=self.channel_high)
        self.total += later.total
        self.samples += later.samples

    def done(self, images: int) -> TensorStatistics:
        return TensorStatistics(
            channel_low=self.channel_low,
            channel_high=self.channel_high,
            mean=self.total / np.float32(images),
            samples=np.concatenate(self.samples),
        )


def _drawn(values: Float32, random: np.random.Generator) -> Float32:
    flat = values.reshape(-1)
    if flat.size <= _SAMPLES_AN_IMAGE:
        return flat.copy()
    return flat[random.integers(0, flat.size, _SAMPLES_AN_IMAGE)]


def _by_channel(values: Float32, reduce: Callable[..., Float32]) -> Float32:
    # Long rows reduce several times faster than rows of a few channels.
    channels = values.shape[-1] if values.ndim else 1
    together = channels
    while together < _LONG_ROW and values.size % (2 * together) == 0:
        together *= 2
    rows = reduce(values.reshape(-1, together), axis=0)
    return reduce(rows.reshape(-1, channels), axis=0)


def collect_statistics(
    model: Model,
    pixels: Sequence[Pixels] | Array,
    image: ImageContract,
    *,
    seed: int,
    report: Report,
) -> Statistics:
    """Run the float model over resized pixels and watch every activation.

    Args:
        model: a float32 model of one input.
        pixels: uint8 images of the contract's size, at least one.
        image: gives the normalization.
        seed: of the drawn samples.
        report: receives progress.

    Returns:
        Statistics by tensor name, the input's among them.
    """
    main = model.subgraphs[0]
    entry = text(main.tensors[int(main.inputs[0])].name)

    # A graph may compute a shape in whole numbers; those are not quantized.
    watched = [j for j in activations(model) if dtype_name(main.tensors[j]) == "float32"]

    def gather(part: range) -> dict[str, _Gathering]:
        probe = ActivationProbe(model, watched)
        gathered: dict[str, _Gathering] = {}
        random = np.random.default_rng([seed, part.start])

        def add(name: str, values: Float32) -> None:
            if name in gathered:
                gathered[name].add(values, random)
            else:
                gathered[name] = _Gathering.of(values, random)

        for index in part:
            if part.start == 0:
                report(ProgressEvent("calibrate", index * len(pixels) // len(part), len(pixels)))
            values = normalize(pixels[index], image)[None]
            probe.run(values)
            add(entry, values)
            for position, name in enumerate(probe.names):
                # Handed on at once: no name may refer to a view when the probe runs again.
                add(name, probe.view(position))
        return gathered

    first, *rest = in_threads(len(pixels), gather, parts=FIXED_PARTS)
    for later in rest:
        for name, one in first.items():
            one.join(later[name])
    report(ProgressEvent("calibrate", len(pixels), len(pixels)))
    return {name: one.done(len(pixels)) for name, one in first.items()}
