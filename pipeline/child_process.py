"""The child's side of `pipeline.child`: answer one request, or one request after another."""

from __future__ import annotations

import errno
import gc
import importlib
import json
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, get_type_hints

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.errors import EnvironmentProblem, PipelineError, environment_problem
from pipeline.progress import ProgressEvent, Report

ChildFunction = Callable[[Any, Report], Frozen]

# A child that raised a PipelineError exits with this, so it is never mistaken for a crash.
REFUSED = 64
# As the command itself: EX_SOFTWARE of sysexits.h.
BUG = 70
# A child that cannot write its result says why by its exit code: this and the number of the error.
NOT_WRITTEN = 128
# In place of target and folder: requests come over standard input.
SERVE = "--serve"
_SAID_CHARS = 500
# What native libraries say of the machine, in errors that are no OSError or carry no number.
_MACHINE_WORDS = {
    os.strerror(number): number for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)
}


def step_name(target: str) -> str:
    """Return what errors and logs call the step that a child's function does."""
    return target.partition(":")[2].removesuffix("_child").replace("_", " ")


def _die_with_parent(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def _call(function: ChildFunction, request: dict[str, Any], report: Report) -> dict[str, Any]:
    wanted = get_type_hints(function).get("request")
    if not isinstance(wanted, type) or not issubclass(wanted, Frozen):
        raise TypeError(f"{function.__qualname__} does not name the type of its request")
    answer = function(wanted.model_validate(request), report)
    if not isinstance(answer, Frozen):
        raise TypeError(f"{function.__qualname__} answered {type(answer).__name__}")
    return answer.model_dump(mode="json")


def _events() -> IO[str]:
    # Standard output carries the events; what libraries print there goes to the log.
    events_fd = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(events_fd, "w", encoding="utf-8")


def _answer(target: str, work: Path, events: IO[str]) -> int:
    """Answer the request in a folder, and return the exit code that says how it went."""
    request = json.loads((work / "request.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = {"request_sha256": sha256_json(request)}

    def report(event: ProgressEvent) -> None:
        events.write(json.dumps(list(event)) + "\n")
        events.flush()

    module_name, _, function_name = target.partition(":")
    function: ChildFunction = getattr(importlib.import_module(module_name), function_name)
    try:
        answer["result"] = _call(function, request, report)
        code = 0
    except PipelineError as error:
        answer["error"] = error.to_dict()
        code = REFUSED
    except Exception as error:
        code = _explain(error, step_name(target), answer)
        # A full disk takes no log either; the answer has it all.
        with suppress(OSError):
            traceback.print_exc()
    temporary = work / "result.tmp"
    try:
        temporary.write_text(json.dumps(answer), encoding="utf-8")
        temporary.replace(work / "result.json")
    except OSError as error:
        return NOT_WRITTEN + (error.errno or errno.EIO)
    return code


def _explain(error: Exception, step: str, answer: dict[str, Any]) -> int:
    """Say in the answer whether the machine refused or this is a bug; return the exit code."""
    problem = _machine_problem(error)
    if problem is not None:
        answer["error"] = problem.to_dict()
        return REFUSED
    answer["bug"] = {
        "name": type(error).__name__,
        "said": " ".join(str(error).split())[:_SAID_CHARS],
        "step": step,
        "traceback": "in the child process:\n" + "".join(traceback.format_exception(error)),
    }
    return BUG


def _machine_problem(error: Exception) -> PipelineError | None:
    if isinstance(error, MemoryError):
        return EnvironmentProblem("out of memory", got=str(error) or None)
    if isinstance(error, OSError) and (problem := environment_problem(error)) is not None:
        return problem
    for words, number in _MACHINE_WORDS.items():
        if words in str(error):
            return environment_problem(OSError(number, words))
    return None


def _serve(events: IO[str]) -> int:
    """Answer each request that a line on standard input names, until there are no more."""
    for line in sys.stdin:
        target, folder, log = json.loads(line)
        _log_to(Path(log))
        code = _answer(target, Path(folder), events)
        # What one request has left must not weigh on the next one.
        gc.collect()
        events.write(json.dumps({"ended": code}) + "\n")
        events.flush()
    return 0


def _log_to(path: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with path.open("ab") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())


def _main(words: list[str]) -> int:
    *asked, parent = words
    _die_with_parent(int(parent))
    with _events() as events:
        if asked == [SERVE]:
            return _serve(events)
        target, folder = asked
        return _answer(target, Path(folder), events)


if __name__ == "__main__":
    exit_code = _main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries abort in their destructors at interpreter exit; the result is written.
    os._exit(exit_code)
