"""State what a mistake is: what it does to a picture, to an input tensor, or to an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.contract.choices import Mistake
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import TensorInfo
from pipeline.imaging.decode import Pixels

Float32 = npt.NDArray[np.float32]
Stored = npt.NDArray[Any]


@dataclass(frozen=True)
class Picture:
    """Hold a decoded image of any size, uint8 RGB (height, width, 3), 0 to 255.

    `upright` has its EXIF orientation applied, `stored` returns it as it lies in the file.
    """

    upright: Pixels
    stored: Callable[[], Pixels]


@dataclass(frozen=True)
class Fed:
    """Hold what decides an input tensor: the contract, and the type that the file takes."""

    image: ImageContract
    tensor: TensorInfo


@dataclass(frozen=True)
class Answered:
    """Hold what mistakes in an answer are made from, row by row the same images.

    right: float32 (n, classes), what the model answers when it is fed as it should be.
    candidate: float32 (n, classes), what the runtime answered.
    output: the type that the file gives.
    """

    right: Float32
    candidate: Float32
    output: TensorInfo


Reading: TypeAlias = Callable[[Picture, ImageContract], Pixels]
Feeding: TypeAlias = Callable[[Pixels, Fed], Stored]
# None where the mistake cannot be made with this model, or would be another one.
Answering: TypeAlias = Callable[[Answered], Float32 | None]


@dataclass(frozen=True, kw_only=True)
class MistakeDescription:
    """Describe a mistake, for people.

    `title` goes on from "this runtime most likely"; `mend` says what to look at.
    """

    name: Mistake
    title: str
    mend: str


@dataclass(frozen=True, kw_only=True)
class ReadingMistake(MistakeDescription):
    """Describe another way from an image to the contract's pixels.

    Each of `variants` returns uint8 RGB of the contract's size.
    """

    variants: Mapping[str, Reading]


@dataclass(frozen=True, kw_only=True)
class FeedingMistake(MistakeDescription):
    """Describe another way from pixels to the input tensor.

    Each of `variants` takes the contract's pixels and returns what the file is fed, in its type.
    `applies` says whether the mistake can be made with such a file; with any where None.
    """

    variants: Mapping[str, Feeding]
    applies: Callable[[Fed], bool] | None = None


@dataclass(frozen=True, kw_only=True)
class AnswerMistake(MistakeDescription):
    """Describe a change of the right answers.

    Each of `variants` returns float32 (n, classes). `order` returns, where the mistake is one of
    label order, which class of the model each output of the runtime holds, int64 (classes,).
    `applies` says whether the mistake can be made with such an output; with any where None.
    """

    variants: Mapping[str, Answering]
    order: Callable[[Answered], npt.NDArray[np.int64]] | None = None
    applies: Callable[[TensorInfo], bool] | None = None
