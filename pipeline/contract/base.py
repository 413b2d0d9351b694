"""Hold the rules shared by every contract type."""

from __future__ import annotations

import re
from pathlib import Path
from typing import ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from pipeline.contract.files import MAX_JSON_BYTES, write_text_atomic
from pipeline.contract.hashing import sha256_json
from pipeline.contract.text_file import read_text
from pipeline.errors import BadInput, reason_of


class Frozen(BaseModel):
    """Validate on construction, refuse unknown fields, never change afterwards."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    # The command that writes a missing one.
    made_by: ClassVar[str | None] = None

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


def _words(cls: type) -> str:
    return re.sub("(?<=[a-z])(?=[A-Z])", " ", cls.__name__).lower()


def first_problem(error: ValidationError) -> str:
    """Return the first validation problem as `field: message`, and how many more there are."""
    problems = error.errors(include_url=False, include_context=False)
    location = ".".join(str(part) for part in problems[0]["loc"]) or "value"
    more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{location}: {problems[0]['msg']}{more}"
