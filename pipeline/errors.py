"""Name every way the pipeline can refuse, with the exit code each one carries."""

from __future__ import annotations

from typing import Any, ClassVar


class PipelineError(Exception):
    """Refuse to go on, saying what, where, expected, got and what to run next.

    Only the CLI turns this into text and an exit code; every other module raises it.
    """

    exit_code: ClassVar[int] = 2
    kind: ClassVar[str] = "error"

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        expected: str | None = None,
        got: str | None = None,
        next_step: str | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.next_step = next_step

    def to_dict(self) -> dict[str, Any]:
        """Return the error as JSON-ready values, without the parts that are unset."""
        fields = {
            "kind": self.kind,
            "exit_code": self.exit_code,
            "what": self.what,
            "where": self.where,
            "expected": self.expected,
            "got": self.got,
            "next_step": self.next_step,
        }
        return {key: value for key, value in fields.items() if value is not None}

    def __str__(self) -> str:
        lines = [self.what]
        for title, value in (
            ("where", self.where),
            ("expected", self.expected),
            ("got", self.got),
            ("next", self.next_step),
        ):
            if value is not None:
                lines.append(f"  {title}: {value}")
        return "\n".join(lines)


class GateFailed(PipelineError):
    """Report that a gate ran and the artifact did not pass it."""

    exit_code = 1
    kind = "gate_failed"


class BadInput(PipelineError):
    """Refuse an argument, a file or a combination of them."""

    exit_code = 2
    kind = "bad_input"


class EnvironmentProblem(PipelineError):
    """Report that the machine lacks something: a library, disk space, permission, a lock."""

    exit_code = 3
    kind = "environment"


class Inconclusive(PipelineError):
    """Report that a gate could not be decided, which is never a pass."""

    exit_code = 4
    kind = "inconclusive"


_BY_KIND: dict[str, type[PipelineError]] = {
    cls.kind: cls for cls in (PipelineError, GateFailed, BadInput, EnvironmentProblem, Inconclusive)
}


def from_dict(fields: dict[str, Any]) -> PipelineError:
    """Rebuild an error from `PipelineError.to_dict`, as a child process reports it."""
    cls = _BY_KIND.get(str(fields.get("kind")), EnvironmentProblem)
    return cls(
        str(fields.get("what", "unknown error")),
        where=fields.get("where"),
        expected=fields.get("expected"),
        got=fields.get("got"),
        next_step=fields.get("next_step"),
    )
