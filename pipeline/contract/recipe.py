"""Name the quantization recipes and the input and output types they allow."""

from __future__ import annotations

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io as Io
from pipeline.contract.choices import Quantize as Quantize


class Recipe(Frozen):
    """Fix everything that decides the bytes of an exported file, given the model.

    `representative_count` images, drawn from the training split with `seed`, calibrate int8
    activation ranges; the other recipes use none.
    """

    quantize: Quantize = Quantize.int8
    io: Io = Io.float32
    representative_count: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _io_fits(self) -> Recipe:
        if self.quantize is not Quantize.int8 and self.io is not Io.float32:
            raise ValueError(f"io {self.io} needs quantize int8; {self.quantize} has float32 io")
        return self

    @property
    def name(self) -> str:
        """Return the folder name of this recipe, for example `int8-uint8` or `float16`."""
        return f"int8-{self.io}" if self.quantize is Quantize.int8 else str(self.quantize)
