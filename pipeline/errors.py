"""Name every way the pipeline can refuse, with the exit code each one carries."""

from __future__ import annotations

import errno
from typing import Any, ClassVar, NamedTuple


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
            # A line end in a file's name would look like another part of the message.
            ("where", self.where and self.where.replace("\n", "\\n")),
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


class _Reason(NamedTuple):
    words: str
    next_step: str


_SPACE = "make room there, then run the same command again"
_RIGHTS = "set its permissions, or choose another place"
_NAME = "give a path that is there"
_PLACE = "choose another place, or move away what stands there"
_REASONS = {
    errno.ENOSPC: _Reason("the disk is full", _SPACE),
    errno.EDQUOT: _Reason("the disk quota is used up", _SPACE),
    errno.EFBIG: _Reason(
        "the file is larger than this process may write",
        "raise the limit (`ulimit -f`), then run the same command again",
    ),
    errno.EROFS: _Reason("the file system is read-only", _RIGHTS),
    errno.EACCES: _Reason("permission denied", _RIGHTS),
    errno.EPERM: _Reason("permission denied", _RIGHTS),
    errno.ENOENT: _Reason("no such file or folder", _NAME),
    errno.ESTALE: _Reason("no such file or folder", _NAME),
    errno.ENOTDIR: _Reason("a file stands where a folder is needed", _PLACE),
    errno.EEXIST: _Reason("a file stands where a folder is needed", _PLACE),
    errno.EISDIR: _Reason("a folder stands where a file is needed", _PLACE),
    errno.ENOTEMPTY: _Reason("the folder is not empty", _PLACE),
    errno.ELOOP: _Reason("a symbolic link leads in a circle", _NAME),
    errno.ENAMETOOLONG: _Reason("the name is too long for the file system", "choose a shorter one"),
    errno.EBUSY: _Reason("something else is using it", "end that, then run the same command again"),
    errno.ETXTBSY: _Reason(
        "something else is using it", "end that, then run the same command again"
    ),
    errno.ENXIO: _Reason("it is a socket or a device, not a file", _NAME),
    errno.ENODEV: _Reason("it is a device, not a file", _NAME),
    errno.EIO: _Reason("the disk reports an error", "check the disk, and keep a copy elsewhere"),
    errno.EMFILE: _Reason("too many open files", "raise the limit (`ulimit -n`)"),
    errno.ENFILE: _Reason("too many open files", "end other programs, then run it again"),
    errno.ENOMEM: _Reason("out of memory", "end other programs, then run it again"),
}


def reason_of(error: Exception) -> str:
    """Return in plain words why the machine refused, without number and path.

    Of an error that is not the machine's, what it says itself.
    """
    if not isinstance(error, OSError):
        return str(error)
    known = _REASONS.get(error.errno) if error.errno is not None else None
    return known.words if known else error.strerror or str(error)


def environment_problem(error: OSError) -> EnvironmentProblem | None:
    """Return what the machine refused as an error with a next step; None for what is no such.

    The same words wherever it happens, in a command or in a process that it started.
    """
    known = _REASONS.get(error.errno) if error.errno is not None else None
    if known is None:
        return None
    return EnvironmentProblem(
        known.words,
        where=None if error.filename is None else str(error.filename),
        next_step=known.next_step,
    )
