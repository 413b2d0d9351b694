"""Run one function in a process of its own.

TensorFlow, tflite_support and LiteRT cannot share a process (each registers native types under
the same names), print to standard output as they please, and may die by a signal. So each runs
in a child: a request goes in as JSON, events come back over a pipe, a result file comes out.
"""

from __future__ import annotations

import errno
import importlib
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import (
    BadInput,
    EnvironmentProblem,
    PipelineError,
    environment_problem,
    from_dict,
)
from pipeline.process import (
    EndedBySignal,
    Log,
    check_ended_well,
    open_log,
    read_answer,
    read_result,
    run_process,
)
from pipeline.progress import ProgressEvent, Report, silent

ChildFunction = Callable[[Any, Report], Frozen]
A = TypeVar("A", bound=Frozen)

# A child that raised a PipelineError exits with this, so it is never mistaken for a crash.
_REFUSED = 64
# As the command itself: EX_SOFTWARE of sysexits.h.
_BUG = 70
_SAID_CHARS = 500
# A child that cannot write its result says why by its exit code: this and the number of the error.
_NOT_WRITTEN = 128
# What native code dies of by itself; the others come from outside.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGILL})
# What native libraries say of the machine, in errors that are no OSError or carry no number.
_MACHINE_WORDS = {
    os.strerror(number): number for number in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS)
}


class ChildBug(Exception):
    """Carry what a child failed with unexpectedly: a bug, as it would be in this process."""

    def __init__(self, name: str, said: str, step: str, traceback: str) -> None:
        super().__init__(f"{said} (in the step {step!r})" if said else f"in the step {step!r}")
        self.bug_name = name
        self.add_note(traceback)


def ask_child(
    target: str,
    request: Frozen,
    answer: type[A],
    *,
    report: Report = silent,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    log: Path | None = None,
    blamed: Path | None = None,
) -> A:
    """Call `module:function` with a typed request in a new process and return its typed answer.

    The function takes (request, report), its annotations name the types of request and answer.
    The child succeeded only if its exit code is 0, its result file parses, and the file names the
    hash of this request. Its standard output and standard error go to `log`. Without one they go
    to a temporary file, which stays where an error names it.

    Args:
        target: module and function.
        request: what it takes.
        answer: the type of what it returns.
        report: receives its progress.
        env: what is set in its environment besides this process's.
        timeout_s: seconds after which it is ended.
        log: receives what it prints.
        blamed: a file of the user's that native code reads; where the child crashes on it twice
            the file is at fault.

    Raises:
        PipelineError: whatever the function itself refused with.
        BadInput: the child crashed twice, with the same signal, on the file to be blamed.
        EnvironmentProblem: a signal, a timeout, a missing or foreign result, or an answer of
            another form; or the machine refused the function something.
        ChildBug: anything else was raised in the child.
    """
    try:
        return _ask(target, request, answer, report, env, timeout_s, log)
    except EndedBySignal as first:
        if blamed is None or first.number not in _CRASHES:
            raise
        try:
            return _ask(target, request, answer, report, env, timeout_s, log)
        except EndedBySignal as second:
            if second.number != first.number:
                raise
            raise BadInput(
                "native code crashes on this file, each time it is read",
                where=str(blamed),
                got=f"{signal.Signals(second.number).name}, twice; see the log {second.where}",
                next_step="export or copy the file again; if it is whole, report it as a bug",
            ) from second


def _ask(
    target: str,
    request: Frozen,
    answer: type[A],
    report: Report,
    env: Mapping[str, str] | None,
    timeout_s: float | None,
    log: Path | None,
) -> A:
    step = step_name(target)
    name = f"the process of the step {step!r}"
    asked = request.model_dump(mode="json")
    with temporary_folder("child") as work, open_log(log, step) as child_log:
        own_temporary = work / "tmp"
        own_temporary.mkdir()
        folder = str(work)
        (work / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        # -P: a json.py or a pipeline/ in the working folder must not stand in for ours.
        command = [sys.executable, "-P", "-m", "pipeline.child", target, folder, str(os.getpid())]
        code = run_process(
            name,
            command,
            child_log,
            _read_event,
            report=report,
            # What native code leaves in its temporary folder goes with ours.
            env=_environment({"TMPDIR": str(own_temporary), **(env or {})}),
            timeout_s=timeout_s,
        )
        result = _result(name, work, code, sha256_json(asked), child_log)
        return read_answer(name, result, answer, child_log)


def step_name(target: str) -> str:
    """Return what errors and logs call the step that a child's function does."""
    return target.partition(":")[2].removesuffix("_child").replace("_", " ")


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    # Unbuffered, so that the log of a killed child is whole.
    env = {**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2", **own}
    # The child must find the package the parent runs, installed or not.
    package_root = str(Path(__file__).resolve().parent.parent)
    paths = [package_root, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
    return env


def _read_event(line: str) -> ProgressEvent:
    task, done, total, detail = json.loads(line)
    return ProgressEvent(task, done, total, detail)


def _result(name: str, work: Path, code: int, asked: str, log: Log) -> dict[str, Any]:
    answer = read_result(work / "result.json")
    if code == _REFUSED and "error" in answer:
        raise from_dict(answer["error"])
    if code == _BUG and "bug" in answer:
        bug = ChildBug(**answer["bug"])
        bug.add_note(f"its log:\n{log.tail()}")
        raise bug
    if code > _NOT_WRITTEN:
        problem = environment_problem(OSError(code - _NOT_WRITTEN, name, log.path.parent))
        if problem is not None:
            raise problem
    check_ended_well(name, code, log)
    if answer.get("request_sha256") != asked or not isinstance(answer.get("result"), dict):
        raise EnvironmentProblem(
            f"{name} ended well but left no result for this request",
            where=str(log.path),
            got=log.tail(),
        )
    result: dict[str, Any] = answer["result"]
    return result


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


def _main(target: str, folder: str, parent: int) -> int:
    _die_with_parent(parent)
    # Standard output carries the events; what libraries print there goes to the log.
    events_fd = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    work = Path(folder)
    request = json.loads((work / "request.json").read_text(encoding="utf-8"))
    answer: dict[str, Any] = {"request_sha256": sha256_json(request)}
    with os.fdopen(events_fd, "w", encoding="utf-8") as events:

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
            code = _REFUSED
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
        return _NOT_WRITTEN + (error.errno or errno.EIO)
    return code


def _explain(error: Exception, step: str, answer: dict[str, Any]) -> int:
    """Say in the answer whether the machine refused or this is a bug; return the exit code."""
    problem = _machine_problem(error)
    if problem is not None:
        answer["error"] = problem.to_dict()
        return _REFUSED
    answer["bug"] = {
        "name": type(error).__name__,
        "said": " ".join(str(error).split())[:_SAID_CHARS],
        "step": step,
        "traceback": "in the child process:\n" + "".join(traceback.format_exception(error)),
    }
    return _BUG


def _machine_problem(error: Exception) -> PipelineError | None:
    if isinstance(error, MemoryError):
        return EnvironmentProblem("out of memory", got=str(error) or None)
    if isinstance(error, OSError) and (problem := environment_problem(error)) is not None:
        return problem
    for words, number in _MACHINE_WORDS.items():
        if words in str(error):
            return environment_problem(OSError(number, words))
    return None


if __name__ == "__main__":
    exit_code = _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries abort in their destructors at interpreter exit; the result is written.
    os._exit(exit_code)
