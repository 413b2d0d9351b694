"""Hold the rules shared by every contract type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Strict,
    ValidationError,
)

from pipeline.contract.files import MAX_JSON_BYTES, write_text_atomic
from pipeline.contract.hashing import sha256_json
from pipeline.contract.text_file import read_text
from pipeline.errors import BadInput, reason_of

# As a person writes them: true is no number, and neither is "3".
WholeNumber = Annotated[int, Strict()]
Number = Annotated[float, Strict()]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("no path has a NUL in it")
    return text


PathText = Annotated[str, Field(min_length=1), AfterValidator(_without_nul)]


class Frozen(BaseModel):
    """Validate on construction, refuse unknown fields, never change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # The command that writes a missing one.
    made_by: ClassVar[str | None] = None
    # What errors call it, where the name of the class is no such word.
    called: ClassVar[str | None] = None

    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON of this value."""
        return sha256_json(self.model_dump(mode="json"))

    def save(self, path: Path) -> None:
        """Write this value to `path` as indented JSON, atomically."""
        write_text_atomic(path, self.model_dump_json(indent=2) + "\n")

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a value back from `path`.

        Raises:
            BadInput: the file is missing, unreadable, or not a valid value of this type.
        """
        try:
            text = read_text(path, _words(cls), max_bytes=MAX_JSON_BYTES)
        except FileNotFoundError as error:
            raise BadInput(
                f"no {_words(cls)} here", where=str(path), next_step=cls.made_by
            ) from error
        except OSError as error:
            raise BadInput(
                f"cannot read the {_words(cls)}", where=str(path), got=reason_of(error)
            ) from error
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise BadInput(
                f"not a valid {_words(cls)}",
                where=str(path),
                got=first_problem(error),
            ) from error


def _words(cls: type[Frozen]) -> str:
    return cls.called or re.sub("(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()


# What pydantic says of a value, in the words of who wrote the file.
_SAID = {
    "extra_forbidden": "there is nothing of this name",
    "missing": "it is missing",
    "json_invalid": "not JSON, or cut short",
    "tuple_type": "must be a list",
    "string_too_short": "must not be empty",
    "too_short": "must not be empty",
}
_SHOWN_PROBLEMS = 3
_SHOWN_CHARS = 60


def first_problem(error: ValidationError) -> str:
    """Return what is wrong as `field: message`, of up to three fields, with what was written."""
    found = []
    for problem in error.errors(include_url=False, include_context=False)[:_SHOWN_PROBLEMS]:
        location = ".".join(str(part) for part in problem["loc"]) or "value"
        said = _SAID.get(problem["type"]) or problem["msg"].removeprefix("Value error, ")
        said = said.replace("Input should be", "must be")
        value = repr(problem["input"])
        plain = isinstance(problem["input"], str | int | float | bool)
        shown = plain and location != "value" and len(value) <= _SHOWN_CHARS
        found.append(f"{location}: {said}" + (f", not {value}" if shown else ""))
    return "; ".join(found)
