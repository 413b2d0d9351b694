"""Run commands in forks of one process that has everything imported but TensorFlow.

`python -m tests.hostile.warm` reads a request a line, forks, and answers a line when the fork has
ended. A fork is as fresh as a process of its own, without the second that imports take.
"""

from __future__ import annotations

import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """Hold how a command ended: its exit code (negative for a signal), and what it printed."""

    code: int
    out: bytes
    err: bytes
    timed_out: bool
    seconds: float


class Warm:
    """Hold one warm process."""

    def __init__(self) -> None:
        env = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.hostile.warm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=env,
            text=True,
        )

    def run(
        self,
        arguments: Sequence[str],
        *,
        cwd: Path,
        streams: Path,
        env: Mapping[str, str] | None = None,
        stdout: str | None = None,
        stderr: str | None = None,
        encoding: str = "utf-8",
        file_limit_bytes: int | None = None,
        timeout_s: float = 30.0,
    ) -> Ended:
        """Run one command in a fork.

        Args:
            arguments: the command line after `pipeline`.
            cwd: its working folder.
            streams: a folder for what it prints.
            env: variables to set.
            stdout: a file to print to, or "closed".
            stderr: the same of standard error.
            encoding: of both streams.
            file_limit_bytes: how large a file it may write.
            timeout_s: seconds after which it and all that it started are killed.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        out, err = streams / "out", streams / "err"
        request = {
            "arguments": [os.fsencode(word).hex() for word in arguments],
            "cwd": str(cwd),
            "env": dict(env or {}),
            "stdout": stdout or str(out),
            "stderr": stderr or str(err),
            "encoding": encoding,
            "file_limit_bytes": file_limit_bytes,
            "timeout_s": timeout_s,
        }
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(
            code=answer["code"],
            out=b"" if stdout else out.read_bytes(),
            err=b"" if stderr else err.read_bytes(),
            timed_out=answer["timed_out"],
            seconds=answer["seconds"],
        )

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)


def _redirect(number: int, target: str) -> None:
    if target == "closed":
        os.close(number)
        return
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(handle, number)
    if handle != number:
        os.close(handle)


def _become(request: dict[str, Any]) -> None:
    """Be the command, in the fork."""
    os.setsid()
    os.chdir(request["cwd"])
    os.environ.update(request["env"])
    import tempfile

    tempfile.tempdir = None
    limit = request["file_limit_bytes"]
    if limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    for number, target in ((1, request["stdout"]), (2, request["stderr"])):
        _redirect(number, target)
    for number, name, mode in ((1, "stdout", "strict"), (2, "stderr", "backslashreplace")):
        closed = request[name] == "closed"
        stream = None if closed else open(number, "w", closefd=False)  # noqa: SIM115
        if stream is not None:
            stream.reconfigure(encoding=request["encoding"], errors=mode)
        setattr(sys, name, stream)
    words = [os.fsdecode(bytes.fromhex(word)) for word in request["arguments"]]
    sys.argv = ["pipeline", *words]

    from pipeline.__main__ import main

    main(words)


def _wait(child: int, timeout_s: float) -> tuple[int, bool]:
    handle = os.pidfd_open(child)
    ready, _, _ = select.select([handle], [], [], timeout_s)
    os.close(handle)
    if not ready:
        os.killpg(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), not ready


def _serve() -> None:
    import pipeline.cli.app
    import pipeline.report.markdown
    import pipeline.report.terminal
    import pipeline.workflow.debug
    import pipeline.workflow.export
    import pipeline.workflow.parity
    import pipeline.workflow.predict
    import pipeline.workflow.record
    import pipeline.workflow.run  # noqa: F401

    assert "tensorflow" not in sys.modules
    for line in sys.stdin:
        request = json.loads(line)
        began = time.monotonic()
        child = os.fork()
        if child == 0:
            code = 1
            try:
                _become(request)
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr):
                    try:
                        stream.flush()
                    except (OSError, ValueError, AttributeError):
                        # As the interpreter's own exit code for it.
                        code = 120
                os._exit(code)
        code, timed_out = _wait(child, request["timeout_s"])
        answer = {
            "code": code,
            "timed_out": timed_out,
            "seconds": time.monotonic() - began,
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve()
