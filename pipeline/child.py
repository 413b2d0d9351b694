"""Run one function in a process of its own.

TensorFlow, tflite_support and LiteRT cannot share a process (each registers native types under
the same names), print to standard output as they please, and may die by a signal. So each runs
in a child: a request goes in as JSON, events come back over a pipe, a result file comes out.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from pipeline.child_process import BUG, NOT_WRITTEN, REFUSED, step_name
from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import BadInput, EnvironmentProblem, environment_problem, from_dict
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
from pipeline.worker import worker_of

A = TypeVar("A", bound=Frozen)

# Processes that requests may share: what they import cannot be in one process with the other.
TENSORFLOW = "tensorflow"
LITERT = "litert"
# NumPy's matrix products are small here, and threads that wait for each other's parts cost several
# times the work; how many there are would also show in the last bits of a sum. OpenBLAS and
# Accelerate read these. What can be divided is divided by whoever asks for the products.
_ONE_BLAS_THREAD = {"OPENBLAS_NUM_THREADS": "1", "VECLIB_MAXIMUM_THREADS": "1"}
# What native code dies of by itself; the others come from outside.
_CRASHES = frozenset({signal.SIGSEGV, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGILL})


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
    process: str | None = None,
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
        process: the name of a process that it may share; see `pipeline.worker`.

    Raises:
        PipelineError: whatever the function itself refused with.
        BadInput: the child crashed twice, with the same signal, on the file to be blamed.
        EnvironmentProblem: a signal, a timeout, a missing or foreign result, or an answer of
            another form; or the machine refused the function something.
        ChildBug: anything else was raised in the child.
    """
    try:
        return _ask(target, request, answer, report, env, timeout_s, log, process)
    except EndedBySignal as first:
        if blamed is None or first.number not in _CRASHES:
            raise
        try:
            return _ask(target, request, answer, report, env, timeout_s, log, process)
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
    process: str | None,
) -> A:
    step = step_name(target)
    name = f"the process of the step {step!r}"
    asked = request.model_dump(mode="json")
    with temporary_folder("child") as work, open_log(log, step) as child_log:
        folder = str(work)
        (work / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        worker = worker_of(process, _environment(env or {}))
        if worker is not None:
            code = worker.ask(name, target, work, child_log, _read_event, report, timeout_s)
        else:
            own_temporary = work / "tmp"
            own_temporary.mkdir()
            parent = str(os.getpid())
            # -P: a json.py or a pipeline/ in the working folder must not stand in for ours.
            module = [sys.executable, "-P", "-m", "pipeline.child_process"]
            code = run_process(
                name,
                [*module, target, folder, parent],
                child_log,
                _read_event,
                report=report,
                # What native code leaves in its temporary folder goes with ours.
                env=_environment({"TMPDIR": str(own_temporary), **(env or {})}),
                timeout_s=timeout_s,
            )
        result = _result(name, work, code, sha256_json(asked), child_log)
        return read_answer(name, result, answer, child_log)


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    # Unbuffered, so that the log of a killed child is whole.
    env = {
        **_ONE_BLAS_THREAD,
        **os.environ,
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        **own,
    }
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
    if code == REFUSED and "error" in answer:
        raise from_dict(answer["error"])
    if code == BUG and "bug" in answer:
        bug = ChildBug(**answer["bug"])
        bug.add_note(f"its log:\n{log.tail()}")
        raise bug
    if code > NOT_WRITTEN:
        problem = environment_problem(OSError(code - NOT_WRITTEN, name, log.path.parent))
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
