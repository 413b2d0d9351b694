"""Keep a child process that answers one request after another, for those that may share one.

A process that has TensorFlow or LiteRT imported costs seconds to start. Inside
`shared_processes()` the requests that name the same process are answered by one; elsewhere each
has a process of its own.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import IO

from pipeline.child_process import SERVE
from pipeline.contract.temporary import temporary_folder
from pipeline.process import Log, ReadEvent, show_lines, took_too_long
from pipeline.progress import Report

_END_S = 5.0


class Worker:
    """Hold one process; it is started by the first request.

    Args:
        env: its whole environment.
    """

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = dict(env)
        self._process: subprocess.Popen[bytes] | None = None

    def ask(
        self,
        name: str,
        target: str,
        folder: Path,
        log: Log,
        read_event: ReadEvent,
        report: Report,
        timeout_s: float | None,
    ) -> int:
        """Let the process answer the request in `folder`; return the exit code it stands for.

        A process that dies of the request is started again by the next one.

        Raises:
            EnvironmentProblem: it took longer than `timeout_s`.
        """
        process = self._started(log)
        assert process.stdin is not None
        assert process.stdout is not None
        ended: list[int] = []
        lines = _until_ended(process.stdout, ended)
        reader = threading.Thread(
            target=show_lines, args=(lines, log, read_event, report), daemon=True
        )
        try:
            # One that died in between is told by its exit code.
            with suppress(BrokenPipeError):
                process.stdin.write(json.dumps([target, str(folder), str(log.file)]).encode())
                process.stdin.write(b"\n")
                process.stdin.flush()
            reader.start()
            reader.join(timeout=timeout_s)
            if reader.is_alive() and timeout_s is not None:
                raise took_too_long(name, timeout_s, log)
            return ended[0] if ended else process.wait()
        finally:
            if not ended:
                self.end()
                reader.join(timeout=_END_S)

    def end(self, *, wait_s: float = 0.0) -> None:
        """End the process; one that does not end by itself in `wait_s` seconds is killed."""
        process, self._process = self._process, None
        if process is None:
            return
        try:
            if wait_s:
                process.communicate(timeout=wait_s)
        except subprocess.TimeoutExpired:
            # Killed below.
            wait_s = 0.0
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            for stream in (process.stdin, process.stdout):
                if stream is not None:
                    with suppress(OSError):
                        stream.close()

    def _started(self, log: Log) -> subprocess.Popen[bytes]:
        if self._process is None:
            command = [
                sys.executable,
                "-P",
                "-m",
                "pipeline.child_process",
                SERVE,
                f"{os.getpid()}",
            ]
            with log.file.open("ab") as stream:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stream,
                    env=self._env,
                )
        return self._process


def _until_ended(lines: IO[bytes], ended: list[int]) -> Iterator[bytes]:
    for line in lines:
        if line.startswith(b'{"ended": '):
            ended.append(int(json.loads(line)["ended"]))
            return
        yield line


class _Pool:
    def __init__(self, temporary: Path) -> None:
        self.temporary = temporary
        self.workers: dict[tuple[str, ...], Worker] = {}


_POOL: ContextVar[_Pool | None] = ContextVar("shared processes", default=None)


@contextmanager
def shared_processes() -> Iterator[None]:
    """Let requests that name the same process share one, in this thread, until the end."""
    if _POOL.get() is not None:
        yield
        return
    with temporary_folder("shared") as temporary:
        pool = _Pool(temporary)
        token = _POOL.set(pool)
        try:
            yield
        finally:
            _POOL.reset(token)
            for worker in pool.workers.values():
                worker.end(wait_s=_END_S)


def worker_of(process: str | None, env: Mapping[str, str]) -> Worker | None:
    """Return the worker that answers for a named process; None where none is shared.

    Args:
        process: its name, None for a request that needs a process of its own.
        env: its whole environment, but for its temporary folder.
    """
    pool = _POOL.get()
    if pool is None or process is None:
        return None
    known_by = (process, *(f"{name}={value}" for name, value in sorted(env.items())))
    if known_by not in pool.workers:
        # What native code leaves in its temporary folder goes with the process.
        pool.workers[known_by] = Worker({**env, "TMPDIR": str(pool.temporary)})
    return pool.workers[known_by]
