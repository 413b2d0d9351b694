"""Run one function in a process of its own.

TensorFlow, tflite_support and LiteRT cannot share a process (each registers native types under
the same names), print to standard output as they please, and may die by a signal. So each runs
in a child: a request goes in as JSON, events come back over a pipe, a result file comes out.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

from pydantic import ValidationError

from pipeline.contract.base import Frozen, first_problem
from pipeline.contract.hashing import sha256_json
from pipeline.errors import EnvironmentProblem, PipelineError, from_dict
from pipeline.progress import ProgressEvent, Report, silent

ChildFunction = Callable[[Any, Report], Any]
A = TypeVar("A", bound=Frozen)

# A child that raised a PipelineError exits with this, so it is never mistaken for a crash.
_REFUSED = 64
_LOG_TAIL_CHARS = 1500


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

    Raises:
        PipelineError: whatever the function itself refused with.
        EnvironmentProblem: a signal, a timeout, a crash, or an answer of another form.
    """
    result = run_child(
        target,
        request.model_dump(mode="json"),
        report=report,
        env=env,
        timeout_s=timeout_s,
        log=log,
    )
    try:
        return answer.model_validate(result)
    except ValidationError as error:
        raise EnvironmentProblem(
            f"{target} left an answer of another form",
            where=None if log is None else str(log),
            expected=answer.__name__,
            got=first_problem(error),
        ) from error


def run_child(
    target: str,
    request: Mapping[str, Any],
    *,
    report: Report = silent,
    env: Mapping[str, str] | None = None,
    timeout_s: float | None = None,
    log: Path | None = None,
) -> dict[str, Any]:
    """Call `module:function` with `request` in a new Python process and return its result.

    The function takes (request, report) and returns JSON-ready values. The child succeeded only
    if its exit code is 0, its result file parses, and the file names the hash of this request.
    Its standard output and standard error go to `log`.

    Raises:
        PipelineError: whatever the function itself refused with.
        EnvironmentProblem: a signal, a timeout, a crash, or a missing or foreign result.
    """
    asked = sha256_json(dict(request))
    with tempfile.TemporaryDirectory(prefix="pipeline-child-") as folder:
        work = Path(folder)
        (work / "request.json").write_text(json.dumps(dict(request)), encoding="utf-8")
        log_path = log if log is not None else work / "log.txt"
        log_path.parent.mkdir(parents=True, exist_ok=True)
        read_fd, write_fd = os.pipe()
        # unbuffered, so that the log of a killed child is whole
        child_env = {**os.environ, "PYTHONUNBUFFERED": "1", "TF_CPP_MIN_LOG_LEVEL": "2"}
        child_env |= dict(env or {})
        # The child must find the package the parent runs, installed or not.
        package_root = str(Path(__file__).resolve().parent.parent)
        paths = [package_root, *filter(None, child_env.get("PYTHONPATH", "").split(os.pathsep))]
        child_env["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(paths))
        # -P: a json.py or a pipeline/ in the working folder must not stand in for ours.
        command = [sys.executable, "-P", "-m", "pipeline.child", target, folder]
        try:
            with log_path.open("wb") as log_stream:
                process = subprocess.Popen(
                    [*command, str(write_fd), str(os.getpid())],
                    stdin=subprocess.DEVNULL,
                    stdout=log_stream,
                    stderr=subprocess.STDOUT,
                    env=child_env,
                    pass_fds=(write_fd,),
                )
        except OSError:
            os.close(read_fd)
            raise
        finally:
            os.close(write_fd)
        reporting: list[Exception] = []
        reader = threading.Thread(target=_pump, args=(read_fd, report, reporting), daemon=True)
        reader.start()
        try:
            code = process.wait(timeout=timeout_s)
        except subprocess.TimeoutExpired as error:
            raise EnvironmentProblem(
                f"{target} took longer than {timeout_s:g} s", where=str(log_path)
            ) from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            reader.join(timeout=5)
        if reporting:
            raise reporting[0]
        return _result(target, work, code, asked, log_path)


def _result(target: str, work: Path, code: int, asked: str, log: Path) -> dict[str, Any]:
    result_path = work / "result.json"
    try:
        answer = json.loads(result_path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        answer = {}
    if code == _REFUSED and "error" in answer:
        raise from_dict(answer["error"])
    if code < 0:
        raise EnvironmentProblem(
            f"{target} was ended by {signal.Signals(-code).name}",
            where=str(log),
            got=_tail(log),
            next_step="check free memory (SIGKILL is often the out-of-memory killer), then rerun",
        )
    if code != 0:
        raise EnvironmentProblem(
            f"{target} stopped with exit code {code}", where=str(log), got=_tail(log)
        )
    if answer.get("request_sha256") != asked or not isinstance(answer.get("result"), dict):
        raise EnvironmentProblem(
            f"{target} ended well but left no result for this request",
            where=str(log),
            got=_tail(log),
        )
    result: dict[str, Any] = answer["result"]
    return result


def _tail(log: Path) -> str:
    try:
        text = log.read_text(encoding="utf-8", errors="replace").strip()
    except OSError as error:
        return f"no log: {error}"
    return text[-_LOG_TAIL_CHARS:] or "nothing was logged"


def _pump(read_fd: int, report: Report, failures: list[Exception]) -> None:
    # Reads to the end whatever happens: a child whose pipe nobody empties would stand still.
    with os.fdopen(read_fd, "r", encoding="utf-8") as stream:
        for line in stream:
            if failures or not line.endswith("\n"):
                continue
            try:
                task, done, total, detail = json.loads(line)
                report(ProgressEvent(task, done, total, detail))
            except Exception as error:
                failures.append(error)


def _die_with_parent(parent: int) -> None:
    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.5)
        os._exit(70)

    threading.Thread(target=watch, daemon=True).start()


def _call(function: ChildFunction, request: dict[str, Any], report: Report) -> Any:
    wanted = get_type_hints(function).get("request")
    if isinstance(wanted, type) and issubclass(wanted, Frozen):
        return function(wanted.model_validate(request), report).model_dump(mode="json")
    return function(request, report)


def _main(target: str, folder: str, events_fd: int, parent: int) -> int:
    _die_with_parent(parent)
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
    exit_code = _main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
    sys.stdout.flush()
    sys.stderr.flush()
    # Native libraries abort in their destructors at interpreter exit; the result is written.
    os._exit(exit_code)
