"""Name what the child processes of int8 are asked for, and what they answer."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Step
from pipeline.contract.dataset import DatasetManifest, ImageRecord
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.layer_errors import LayerFigures
from pipeline.contract.recipe import Recipe
from pipeline.contract.search import SearchRecord

_SHA256 = "^[0-9a-f]{64}$"


class ImageFile(Frozen):
    """Name one image by path, content and label; `label` is the label's name, None if unknown."""

    path: str
    sha256: str = Field(pattern=_SHA256)
    label: str | None


class ModelFile(Frozen):
    """Name one `.tflite` file by path and content."""

    path: str
    sha256: str = Field(pattern=_SHA256)


class QuantizeRequest(Frozen):
    """Ask for the int8 file of a float file, written to `out`.

    `representative` images calibrate; `repair` images measure what a search tries, and are empty
    where the recipe is followed or left unrepaired.
    """

    float_file: ModelFile
    recipe: Recipe
    image: ImageContract
    labels: Labels
    representative: tuple[ImageFile, ...] = Field(min_length=1)
    repair: tuple[ImageFile, ...] = ()
    out: str


class QuantizeAnswer(Frozen):
    """Hold the digest of the file that was written, the steps it was made by, and the search."""

    sha256: str = Field(pattern=_SHA256)
    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...]
    search: SearchRecord


class NoiseRequest(Frozen):
    """Ask for the noise floor of a float file on `images`; `seed` draws the noise."""

    float_file: ModelFile
    image: ImageContract
    labels: Labels
    images: tuple[ImageFile, ...] = Field(min_length=1)
    seed: int = Field(ge=0)


class LayerErrorsRequest(Frozen):
    """Ask for the error of every layer of an int8 file over `images`.

    Where `representative` is not empty the float model is first rewritten on those images by those
    of `steps` that rewrite it, as the exporter did it. `seed` is of the samples that are drawn from
    their activations.
    """

    float_file: ModelFile
    int8_file: ModelFile
    image: ImageContract
    images: tuple[ImageFile, ...] = Field(min_length=1)
    representative: tuple[ImageFile, ...] = ()
    steps: tuple[Step, ...] = ()
    seed: int = Field(ge=0)


class LayerErrorsAnswer(Frozen):
    """Hold the figures of every layer, in the order of the graph."""

    layers: tuple[LayerFigures, ...]


def image_files(images: Iterable[ImageRecord], dataset: DatasetManifest) -> tuple[ImageFile, ...]:
    """Return dataset images as a child is asked for them."""
    return tuple(
        ImageFile(path=str(dataset.file(one)), sha256=one.sha256, label=one.label) for one in images
    )
