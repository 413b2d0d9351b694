"""Time graphs against each other on one quiet thread, image by image.

Child process only: imports LiteRT.

A machine is slower at one moment than at another, so two graphs that are timed one after the other
say nothing. Here every image is answered by all of them in turn, and each ratio is taken of times
that lie next to each other. They are the processor's time on one thread, which leaves out what
other processes took; the median leaves out what the caches lost to them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract
from pipeline.export.int8.io_types import int8_batch
from pipeline.export.int8.kernels import Kernel
from pipeline.imaging.preprocess import normalize
from pipeline.tflite.edit import Array, pack
from pipeline.tflite.flatbuffer import Model

_WARM_UP = 3
_ROUNDS = 32


@dataclass(frozen=True)
class Timed:
    """Hold a graph, and one input of its own type for each round."""

    model: Model
    inputs: Sequence[Array]


@dataclass(frozen=True)
class Latencies:
    """Hold one graph's latency beside plain int8's: medians in ms, and shares of the others."""

    own_ms: float
    plain_ms: float
    of_plain: float
    of_float16: float


def latencies(
    graph: Model,
    plain: Model,
    float_model: Model,
    pixels: Array,
    image: ImageContract,
    io: Io,
) -> Latencies:
    """Time an int8 graph against plain int8 and float16.

    float16 weights become floats when a file is loaded, so float16 takes the float graph's time.

    Args:
        graph: with int8 input.
        plain: the same network without repair, with int8 input; may be `graph` itself.
        float_model: the same network in floats.
        pixels: uint8 (n, height, width, 3), resized, n at least 1.
        image: gives the normalization.
        io: which values reach the int8 graphs.
    """
    few = pixels[:_ROUNDS]
    rows = [normalize(one, image)[None] for one in few]
    timed = [Timed(float_model, rows)]
    for one in (graph, plain):
        timed.append(Timed(one, list(int8_batch(few, image, io, one)[:, None])))
    _, (own_ms, ratios), (plain_ms, _) = pairwise_latency(timed)
    return Latencies(own_ms, plain_ms, of_plain=ratios[2], of_float16=ratios[0])


def pairwise_latency(graphs: Sequence[Timed]) -> list[tuple[float, list[float]]]:
    """Return of each graph its median time in ms, and the ratio of it to each graph in turn.

    Args:
        graphs: of equally many inputs, at least one.
    """
    kernels = [Kernel(pack(one.model)) for one in graphs]
    for kernel, one in zip(kernels, graphs, strict=True):
        for _ in range(_WARM_UP):
            kernel.run(one.inputs[0])
    rounds = len(graphs[0].inputs)
    spent_ms = np.empty((rounds, len(graphs)))
    for number in range(rounds):
        for place, (kernel, one) in enumerate(zip(kernels, graphs, strict=True)):
            values = one.inputs[number]
            start = time.process_time()
            kernel.run(values)
            spent_ms[number, place] = (time.process_time() - start) * 1000
    medians = np.median(spent_ms, axis=0)
    ratios = np.median(spent_ms[:, :, None] / spent_ms[:, None, :], axis=0)
    return [(float(one), row.tolist()) for one, row in zip(medians, ratios, strict=True)]
