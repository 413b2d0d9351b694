"""Keep photos with what the host made of them, so that a phone can prove it does the same."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import GOLDENS_FILE, GOLDENS_FOLDER, MODEL_FILE, load_bundle
from pipeline.contract.choices import Quantize
from pipeline.errors import BadInput

# How far a phone's probability may be from the host's. Floats differ by the order in which a
# kernel sums, which is 1e-7, and by a JPEG decoder that is a level off here and there: every
# pixel off by up to one moved a small untrained net by 0.004. Where activations are rounded to
# 8 bits, kernels of different processors round some of them to the other side, each layer
# carries that on, and the output itself may have steps of 1/256; this allows twelve.
_FLOAT_TOLERANCE = 0.005
_EIGHT_BIT_TOLERANCE = 0.05
GOLDEN_TOLERANCE = {
    Quantize.float32: _FLOAT_TOLERANCE,
    Quantize.float16: _FLOAT_TOLERANCE,
    Quantize.dynamic: _EIGHT_BIT_TOLERANCE,
    Quantize.int8: _EIGHT_BIT_TOLERANCE,
}
# JPEG decoders are a level or so apart in single pixels, and less in the mean of a cell; a wrong
# orientation, crop or colour order is tens of levels off.
NEAR_LEVELS = 1.0
# The photos that every bundle has, beside the user's own.
SYNTHETIC_GOLDENS = (
    "odd-size.jpg",
    "turned.jpg",
    "mirrored.jpg",
    "gray.jpg",
    "subsampled.jpg",
    "small.jpg",
    "black.jpg",
    "white.jpg",
)

_Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
_Mean = Annotated[float, Field(ge=0.0, le=255.0)]
_Cell = tuple[_Mean, _Mean, _Mean]


class Golden(Frozen):
    """Hold one JPEG with every step the host took from its bytes to the probabilities.

    `width_px` and `height_px` are those of the upright picture. `pixels_sha256` is of its decoded
    uint8 RGB bytes, rows first; `tensor_sha256` of the model's input as fed, little endian, NHWC.
    `cell_means` are the mean red, green and blue pixel values, to three decimals, of a 4 x 4 grid
    over the resized picture, rows first: cell i of n pixels is floor(i * n / 4) up to
    floor((i + 1) * n / 4).
    """

    file: str = Field(pattern="^[a-z0-9][a-z0-9-]*[.]jpg$")
    sha256: _Sha256
    about: str = Field(min_length=1)
    width_px: int = Field(ge=1)
    height_px: int = Field(ge=1)
    pixels_sha256: _Sha256
    tensor_sha256: _Sha256
    cell_means: tuple[_Cell, ...] = Field(min_length=16, max_length=16)
    probabilities: dict[str, float]


class Goldens(Frozen):
    """List the goldens of one model, and how far a phone may be from them.

    A phone whose JPEG decoder gives the pixels of `pixels_sha256` must feed the tensor of
    `tensor_sha256`. Decoders differ by a level: where other pixels come out, each cell mean must
    be within `near_levels`, in pixel values. Either way each probability must be within
    `tolerance`, by label name. At least one golden must decode exactly.
    """

    made_by: ClassVar[str | None] = "pipeline export"

    schema_version: Literal[1] = 1
    kind: Literal["goldens"] = "goldens"
    model_sha256: _Sha256
    image_contract_sha256: _Sha256
    labels: tuple[str, ...] = Field(min_length=2)
    tolerance: float = Field(gt=0.0, lt=1.0)
    near_levels: float = Field(ge=0.0, le=255.0)
    runtime: str
    runtime_version: str
    goldens: tuple[Golden, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Goldens:
        for what, values in (
            ("file", [golden.file for golden in self.goldens]),
            ("photo", [golden.sha256 for golden in self.goldens]),
        ):
            if len(set(values)) != len(values):
                raise ValueError(f"a {what} is listed twice")
        for golden in self.goldens:
            if sorted(golden.probabilities) != sorted(self.labels):
                raise ValueError(f"{golden.file}: the probabilities are not one for each label")
        return self


def load_goldens(bundle: Path) -> Goldens:
    """Read the goldens of a bundle folder, whose every file is checked against its manifest.

    Raises:
        BadInput: this is no bundle, it was changed, it has no goldens, or they are of another
            model, image contract or label order.
    """
    manifest = load_bundle(bundle)
    if GOLDENS_FILE not in manifest.files:
        raise BadInput(
            "the bundle has no goldens",
            where=str(bundle),
            expected=f"{GOLDENS_FILE} in its manifest",
            next_step="export it again with `pipeline export`, which makes them",
        )
    goldens = Goldens.load(bundle / GOLDENS_FILE)
    for what, expected, got in (
        ("model", manifest.files[MODEL_FILE].sha256, goldens.model_sha256),
        ("image contract", manifest.image.digest(), goldens.image_contract_sha256),
        ("labels", ", ".join(manifest.labels.names), ", ".join(goldens.labels)),
    ):
        if expected != got:
            raise BadInput(
                f"the bundle's goldens are of another {what}",
                where=str(bundle / GOLDENS_FILE),
                expected=expected,
                got=got,
                next_step="export it again with `pipeline export`",
            )
    for golden in goldens.goldens:
        entry = manifest.files.get(f"{GOLDENS_FOLDER}/{golden.file}")
        if entry is None or entry.sha256 != golden.sha256:
            raise BadInput(
                "a golden's photo is not the one in the bundle's manifest",
                where=str(bundle / GOLDENS_FOLDER / golden.file),
                expected=f"sha256 {golden.sha256}",
                got=f"sha256 {entry.sha256}" if entry else "no such file in the manifest",
                next_step="export it again with `pipeline export`",
            )
    return goldens
