"""Run one function in a process of its own.

TensorFlow, tflite_support and LiteRT cannot share a process (each registers native types under
the same names), print to standard output as they please, and may die by a signal. So each runs
in a child: a request goes in as JSON, events come back over a pipe, a result file comes out.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_json
from pipeline.errors import EnvironmentProblem, PipelineError, from_dict
from pipeline.process import (
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


def ask_child(
    target: str,
    request: Frozen,
    answer: type[A],
    *,
    report: Report = silent,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    log: Path | None = None,
) -> A:
    """Call `module:function` with a typed request in a new process and return its typed answer.

    The function takes (request, report), its annotations name the types of request and answer.
    The child succeeded only if its exit code is 0, its result file parses, and the file names the
    hash of this request. Its standard output and standard error go to `log`. Without one they go
    to a temporary file, which stays where an error names it.

    Raises:
        PipelineError: whatever the function itself refused with.
        EnvironmentProblem: a signal, a timeout, a crash, a missing or foreign result, or an
            answer of another form.
    """
    name = target.partition(":")[2]
    asked = request.model_dump(mode="json")
    with (
        tempfile.TemporaryDirectory(prefix="pipeline-child-") as folder,
        open_log(log, name) as child_log,
    ):
        work = Path(folder)
        (work / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        # -P: a json.py or a pipeline/ in the working folder must not stand in for ours.
        command = [sys.executable, "-P", "-m", "pipeline.child", target, folder, str(os.getpid())]
        code = run_process(
            target,
            command,
            child_log,
            _read_event,
            report=report,
            env=_environment(env or {}),
            timeout_s=timeout_s,
        )
        result = _result(target, work, code, sha256_json(asked), child_log)
        return read_answer(target, result, answer, child_log)


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


def _result(target: str, work: Path, code: int, asked: str, log: Log) -> dict[str, Any]:
    answer = read_result(work / "result.json")
    if code == _REFUSED and "error" in answer:
        raise from_dict(answer["error"])
    check_ended_well(target, code, log)
    if answer.get("request_sha256") != asked or not isinstance(answer.get("result"), dict):
        raise EnvironmentProblem(
            f"{target} ended well but left no result for this request",
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
    temporary = work / "result.tmp"
    temporary.write_text(json.dumps(answer), encoding="utf-8")
    temporary.replace(work / "result.json")
    return code


if __name__ == "__main__":
    exit_code = _main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries abort in their destructors at interpreter exit; the result is written.
    os._exit(exit_code)
