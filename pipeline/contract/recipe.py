"""Name the quantization recipes and the input and output types they allow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import Field, model_validator

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io as Io
from pipeline.contract.choices import Quantize as Quantize
from pipeline.contract.choices import Repair as Repair
from pipeline.contract.choices import Step as Step
from pipeline.contract.choices import default_io


class Recipe(Frozen):
    """Fix everything that decides the bytes of an exported file, given the model.

    `representative_count` images, drawn from the training split with `seed`, calibrate int8
    activation ranges; the other recipes use none.

    `repair` says how int8 looks for the steps that make it faithful. A recipe that a search has
    settled names them in `steps`, and `float16_layers` are the tensors of what it left in floats;
    such a recipe is followed, not searched, and gives the same bytes again.
    """

    quantize: Quantize = Quantize.int8
    io: Io = Io.float32
    representative_count: int = Field(default=200, ge=1, le=100_000)
    seed: int = Field(default=0, ge=0)
    repair: Repair = Repair.auto
    steps: tuple[Step, ...] | None = None
    float16_layers: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _io_fits(self) -> Recipe:
        if self.quantize is not Quantize.int8 and self.io is not Io.float32:
            raise ValueError(f"io {self.io} needs quantize int8; {self.quantize} has float32 io")
        if self.quantize is not Quantize.int8 and self.repair is not Repair.auto:
            raise ValueError(f"repair {self.repair} needs quantize int8, not {self.quantize}")
        if self.quantize is not Quantize.int8 and (self.steps or self.float16_layers):
            raise ValueError(f"steps and float16_layers are of int8, not of {self.quantize}")
        keeping = [step for step in self.steps or () if step.keeps_floats]
        if len(keeping) != bool(self.float16_layers):
            known = " or ".join(step for step in Step if step.keeps_floats)
            raise ValueError(f"float16_layers and one step {known} come together")
        return self

    @model_validator(mode="after")
    def _steps_are_run(self) -> Recipe:
        steps = self.steps or ()
        for step in steps:
            if missing := [needed for needed in step.needs if needed not in steps]:
                raise ValueError(f"step {step} needs {', '.join(missing)}, which is not in steps")
        if steps != (ordered := tuple(step for step in Step if step in steps)):
            raise ValueError(
                f"steps are listed once each, in the order {', '.join(ordered)}; "
                f"got {', '.join(steps)}"
            )
        return self

    @property
    def name(self) -> str:
        """Return the folder name of this recipe, for example `int8-uint8` or `float16`.

        How the steps were found is not part of the name, but for a file that was left unrepaired.
        """
        if self.quantize is not Quantize.int8:
            return str(self.quantize)
        plain = "-plain" if self.repair is Repair.none and not self.steps else ""
        return f"int8-{self.io}{plain}"


def recipes_of(
    quantize: Sequence[Quantize],
    *,
    io: Io | None = None,
    repair: Repair | None = None,
    representative_count: int | None = None,
    seed: int | None = None,
) -> tuple[Recipe, ...]:
    """Return one recipe for each quantization, in order; what is None takes the recipe's own value.

    `io` and `repair` go to int8, which alone has a choice of them, where int8 is among several.

    Raises:
        ValidationError: a value is out of range or would do nothing.
    """
    several = Quantize.int8 in quantize
    drawn = {"representative_count": representative_count, "seed": seed}
    recipes = []
    for kind in quantize:
        values: dict[str, Any] = {"io": default_io(kind)}
        own = {"io": io, "repair": repair} if kind is Quantize.int8 or not several else {}
        values |= {name: value for name, value in {**drawn, **own}.items() if value is not None}
        recipes.append(Recipe.model_validate({"quantize": kind, **values}))
    return tuple(recipes)
