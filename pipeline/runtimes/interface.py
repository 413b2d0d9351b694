"""State what a runtime is: how it describes itself, what it is asked, what it answers."""

from __future__ import annotations

import platform
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeVar, assert_never

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import RuntimeName
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization import Normalization
from pipeline.errors import BadInput, PipelineError
from pipeline.imaging.decode import Pixels
from pipeline.progress import Report

Prepared = TypeVar("Prepared")


class ImageFile(Frozen):
    """Name an image file, with the SHA-256 it must have where that is known."""

    path: Path
    sha256: str | None = None


class InferenceRequest(Frozen):
    """Say what a runtime is to answer: which images, with which model, read how.

    The file at `model` must have `model_sha256`; `image` and `labels` are what it was made for.
    A Keras model takes `normalization`, or what `image` feeds where that is None, and answers
    logits where `logits` says so. Up to `probe_images` of the images are answered again under each
    of `probe_normalizations`. With `collect_bad` an image that cannot be read is listed in the
    answers instead of ending the work. After the answers, up to `timed_inferences` of the images
    are answered once more, one at a time, to measure the latency.
    """

    runtime: RuntimeName
    model: Path
    model_sha256: str
    image: ImageContract
    labels: tuple[str, ...]
    images: tuple[ImageFile, ...]
    threads: int = Field(default=1, ge=1)
    collect_bad: bool = False
    timed_inferences: int = Field(default=0, ge=0)
    normalization: Normalization | None = None
    logits: bool = False
    probe_normalizations: tuple[Normalization, ...] = ()
    probe_images: int = Field(default=0, ge=0)

    @property
    def own_normalization(self) -> Normalization:
        """Return what a Keras model takes."""
        if self.normalization is not None:
            return self.normalization
        return Normalization.of_image(self.image)


@dataclass(frozen=True)
class Answers:
    """Hold what a runtime answered, for the images it could read.

    probabilities: float32 (n, classes).
    answered: int64 (n,), which of the asked images each row belongs to.
    latencies_ms: float64 (m,), each of one inference of one image, alone; see `Runtime.invoke`.
    bad: the refusal of each image that was not read, by its place among the asked images.
    probed: int64 (k,), the rows that were answered again, and by_normalization: float32
    (normalizations, k, classes), those answers.
    """

    probabilities: npt.NDArray[np.float32]
    answered: npt.NDArray[np.int64]
    latencies_ms: npt.NDArray[np.float64]
    bad: dict[int, PipelineError]
    probed: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    by_normalization: npt.NDArray[np.float32] = field(
        default_factory=lambda: np.zeros((0, 0, 0), np.float32)
    )


class Runtime(Protocol[Prepared]):
    """Answer images with probabilities, in a child process; closed when done.

    `batch` is how many images `prepare` takes at most.
    """

    batch: int

    def prepare(self, pixels: Sequence[Pixels]) -> Prepared:
        """Turn images into what `invoke` takes.

        Args:
            pixels: contract-sized images, each uint8 RGB (height, width, 3), 0 to 255.

        Returns:
            the input tensor, normalized and quantized as the model wants it; a runtime that
            does this itself takes the pixels.
        """
        ...

    def invoke(self, prepared: Prepared) -> npt.NDArray[np.float32]:
        """Return the probabilities of each image, float32 (images, classes).

        This is what a latency measures: from the prepared input to the probabilities.
        """
        ...

    def close(self) -> None:
        """Release the model."""
        ...


class Threads(StrEnum):
    """Say what a number of threads means to a runtime."""

    asked = "asked"
    one = "one"
    own_choice = "own choice"


@dataclass(frozen=True)
class Identity:
    """Say which build of a runtime answers: its version, and all else that decides an answer."""

    version: str
    decided_by: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class RuntimeDescription(ABC):
    """Describe a runtime; each file of a runtime holds one as `RUNTIME`.

    `title` is what a person reads. `threads` says whether the number that is asked for applies.
    """

    name: RuntimeName
    title: str
    threads: Threads

    @abstractmethod
    def require(self) -> None:
        """Check that the runtime is installed or built, without importing it.

        Raises:
            EnvironmentProblem: it is not.
        """

    @abstractmethod
    def identity(self) -> Identity:
        """Return which build answers.

        Raises:
            EnvironmentProblem: the runtime is not installed or built.
        """

    @abstractmethod
    def ask(self, request: InferenceRequest, *, log: Path | None, report: Report) -> Answers:
        """Answer image files.

        Raises:
            BadInput: the model, or (unless they are collected) an image, is refused.
            EnvironmentProblem: the runtime is not installed or built, or its process died.
        """

    def host(self) -> str:
        """Return the system and the processor that answer."""
        return f"{platform.system()}-{platform.machine()}"

    def threads_used(self, asked: int) -> int | None:
        """Return how many threads answer where `asked` are asked for; None where it is not known.

        Raises:
            BadInput: the runtime does not take a number of threads, and more than one is asked.
        """
        if self.threads is Threads.asked:
            return asked
        if asked != 1:
            raise BadInput(
                f"the runtime {self.name} takes no number of threads",
                got=f"{asked} threads",
                next_step="leave --threads out",
            )
        match self.threads:
            case Threads.one:
                return 1
            case Threads.own_choice:
                return None
            case _:
                assert_never(self.threads)
