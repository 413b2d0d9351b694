"""Say what a finished file states about itself: texts, tensor names, ranges of stored values."""

from __future__ import annotations

from typing import assert_never

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io
from pipeline.contract.image import ImageContract

# Packed beside the labels where they have full names: the metadata's own way of display names.
FULL_NAMES_FILE = "labels_en.txt"
FULL_NAMES_LOCALE = "en"


class About(Frozen):
    """Hold what the metadata says of the model in words, and the names of input and output.

    `version` is the model's own and `author` is who made the model; the tool that exported it is
    named in the description. An empty text is left out of the file.
    """

    name: str
    description: str
    version: str
    author: str
    license: str
    input_name: str
    output_name: str


def stored_input_range(image: ImageContract, io: Io) -> tuple[float, float]:
    """Return the smallest and largest stored value of an input tensor of this type."""
    return _stored_range(io, image.float_range)


def stored_output_range(io: Io) -> tuple[float, float]:
    """Return the smallest and largest stored value of an output tensor of probabilities."""
    return _stored_range(io, (0.0, 1.0))


def _stored_range(io: Io, real: tuple[float, float]) -> tuple[float, float]:
    match io:
        case Io.float32:
            return real
        case Io.uint8:
            return (0.0, 255.0)
        case Io.int8:
            return (-128.0, 127.0)
        case _:
            assert_never(io)
