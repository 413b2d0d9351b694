"""Let the Android app's own code answer, on a JVM with the unmodified Android library.

`android_demo/check --only host` builds the host and leaves host.json: the class path, the JNI
library, the shim that lets a bionic library run on glibc, and the hash of every source it was
built from. With `--only arm64` it can also run the arm64-v8a library under emulation.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import RuntimeName
from pipeline.contract.files import resolved
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import BadInput, EnvironmentProblem, reason_of
from pipeline.process import (
    Log,
    check_ended_well,
    open_log,
    read_answer,
    read_result,
    run_process,
)
from pipeline.progress import ProgressEvent, Report
from pipeline.runtimes.interface import Answers, Identity, InferenceRequest, RuntimeDescription

_HOST = Path("build") / "host" / "host.json"
_PROJECT = "PIPELINE_ANDROID_PROJECT"
_NAME = "the Android host"


class EmulatedEngine(Frozen):
    """Name the command that runs the library of another processor; model and threads follow."""

    engine: tuple[str, ...] = Field(min_length=1)


class AndroidHost(Frozen):
    """Hold what is needed to run the app's code on this machine's JVM.

    `sources` maps each source file, relative to the project, to its SHA-256 when it was built.
    """

    java: str
    class_path: tuple[str, ...] = Field(min_length=1)
    library_path: str
    shim: str
    main: str
    runtime_version: str
    sources: dict[str, str]
    arm64: EmulatedEngine | None = None

    def digest_of_sources(self) -> str:
        """Return one hash of all sources, so that another app code is another recorder."""
        return sha256_json(self.sources)


@dataclass(frozen=True, kw_only=True)
class AndroidRuntime(RuntimeDescription):
    """Describe a build of the Android library, run behind the app's code on a JVM.

    With `emulated` it is the arm64-v8a library, run under emulation.
    """

    emulated: bool = False

    def require(self) -> None:
        """Check that the host is built and current with its sources."""
        find_host(self.name, emulated=self.emulated)

    def identity(self) -> Identity:
        """Return the library's version and the hash of the app's sources."""
        host = find_host(self.name, emulated=self.emulated)
        return Identity(
            version=host.runtime_version, decided_by={"sources": host.digest_of_sources()}
        )

    def ask(self, request: InferenceRequest, *, log: Path | None, report: Report) -> Answers:
        """Let the app's code answer image files, from their bytes on.

        Every inference is of one image, alone, and timed.
        """
        found = ask_host(request, emulated=self.emulated, log=log, report=report)
        return found.answers_for(request)

    def host(self) -> str:
        """Return the system and the processor that answer."""
        system, _, machine = super().host().partition("-")
        return f"{system}-aarch64, emulated on {machine}" if self.emulated else super().host()


def find_host(
    runtime: RuntimeName, project: Path | None = None, *, emulated: bool = False
) -> AndroidHost:
    """Find the host built for the Android project, current with its sources.

    Args:
        runtime: what errors call it.
        project: the project's folder; PIPELINE_ANDROID_PROJECT or android_demo where None.
        emulated: whether the emulated arm64-v8a engine must be there too.

    Raises:
        EnvironmentProblem: it was not built, or its sources changed since.
        BadInput: host.json is damaged.
    """
    root = project or Path(os.environ.get(_PROJECT, "android_demo"))
    path = root / _HOST
    step = "arm64" if emulated else "host"
    build = f"{root}/check --only {step}"
    if not path.is_file():
        raise EnvironmentProblem(
            f"the runtime {runtime} needs the Android host, which is not built",
            where=str(path),
            next_step=build,
        )
    host = AndroidHost.load(path)
    stale = [
        name
        for name, sha256 in sorted(host.sources.items())
        if not (root / name).is_file() or sha256_file(root / name) != sha256
    ]
    if stale:
        raise EnvironmentProblem(
            "the Android host is older than its sources",
            where=str(path),
            got=f"{len(stale)} changed: {', '.join(stale[:3])}",
            next_step=build,
        )
    if emulated and host.arm64 is None:
        raise EnvironmentProblem(
            "the Android host was built without the arm64-v8a engine",
            where=str(path),
            next_step=build,
        )
    return host


class HostAnswers(Frozen):
    """Hold what the JVM host wrote; one answer for each image that is not in `bad`.

    `latency_ms` is of the inference alone. `pixels_sha256` is of the decoded, upright RGB bytes,
    where the input tensors were asked for.
    """

    class Answer(Frozen):
        """Hold the answer to the image at `index`."""

        index: int
        probabilities: tuple[float, ...]
        latency_ms: float
        pixels_sha256: str | None = None

    class Bad(Frozen):
        """Say why the image at `index` was not read."""

        index: int
        what: str

    class Image(Frozen):
        """Hold what the app read of the image contract out of the model."""

        height_px: int
        width_px: int
        mean: float
        std: float

    model_sha256: str
    runtime_version: str
    labels: tuple[str, ...]
    image: Image
    answers: tuple[Answer, ...]
    bad: tuple[Bad, ...]

    def answers_for(self, request: InferenceRequest) -> Answers:
        """Return the answers as any other runtime gives them."""
        rows = [answer.probabilities for answer in self.answers]
        return Answers(
            probabilities=np.array(rows, np.float32).reshape(len(rows), len(request.labels)),
            answered=np.array([answer.index for answer in self.answers], np.int64),
            latencies_ms=np.array([answer.latency_ms for answer in self.answers], np.float64),
            bad={
                bad.index: BadInput(bad.what, where=str(request.images[bad.index].path))
                for bad in self.bad
            },
        )


def ask_host(
    request: InferenceRequest,
    *,
    emulated: bool = False,
    log: Path | None = None,
    report: Report,
    tensors: Path | None = None,
    project: Path | None = None,
) -> HostAnswers:
    """Let the app's code answer image files, from their bytes on.

    With `tensors` every image's input tensor is appended to that file, as the model was fed it.

    Raises:
        BadInput: the app's code reads another contract out of the model, or refuses the model or
            an image.
        EnvironmentProblem: the host is not built, or its process died.
    """
    host = find_host(request.runtime, project, emulated=emulated)
    engine = host.arm64.engine if emulated and host.arm64 else None
    asked: dict[str, Any] = {
        "model": str(resolved(request.model)),
        "threads": request.threads,
        "images": [
            {"path": str(resolved(image.path)), "sha256": image.sha256} for image in request.images
        ],
        "collect_bad": request.collect_bad,
        "tensors": None if tensors is None else str(resolved(tensors)),
        "engine": None if engine is None else list(engine),
    }
    with (
        temporary_folder("android") as work,
        open_log(log, str(request.runtime)) as kept,
    ):
        (work / "request.json").write_text(json.dumps(asked), encoding="utf-8")
        code = _run(host, work, kept, f"{request.runtime} answers", report)
        found = _read(work / "result.json", code, kept, request)
    _check_answers(found, request)
    return found


def _run(host: AndroidHost, work: Path, log: Log, task: str, report: Report) -> int:
    command = [
        host.java,
        "-cp",
        os.pathsep.join(host.class_path),
        f"-Djava.library.path={host.library_path}",
        host.main,
        "record",
        str(work / "request.json"),
        str(work / "result.json"),
    ]

    def read_event(line: str) -> ProgressEvent:
        event = json.loads(line)
        return ProgressEvent(task, event["done"], event["total"])

    env = {**os.environ, "LD_LIBRARY_PATH": host.shim}
    try:
        return run_process(_NAME, command, log, read_event, report=report, env=env)
    except FileNotFoundError as error:
        raise EnvironmentProblem(
            "the Android host needs Java",
            got=reason_of(error),
            next_step="apt-get install default-jdk",
        ) from error


def _read(path: Path, code: int, log: Log, request: InferenceRequest) -> HostAnswers:
    result = read_result(path)
    if code == BadInput.exit_code and "error" in result:
        raise BadInput(
            "the Android host refuses the model or an image",
            where=str(request.model),
            got=str(result["error"]),
        )
    check_ended_well(_NAME, code, log)
    if "answers" not in result:
        raise EnvironmentProblem(
            f"{_NAME} ended well but left no answers", where=str(log.path), got=log.tail()
        )
    return read_answer(_NAME, result, HostAnswers, log)


def _check_answers(found: HostAnswers, request: InferenceRequest) -> None:
    image, read = request.image, found.image
    for what, expected, got in (
        ("model file", request.model_sha256, found.model_sha256),
        ("size", (image.height_px, image.width_px), (read.height_px, read.width_px)),
        ("normalization", (image.mean, image.std), (read.mean, read.std)),
        ("labels", request.labels, found.labels),
    ):
        if expected != got:
            raise BadInput(
                f"the app reads another {what} than was asked about",
                where=str(request.model),
                expected=str(expected),
                got=str(got),
            )
    if any(len(answer.probabilities) != len(request.labels) for answer in found.answers):
        raise BadInput("the app answers another number of classes", where=str(request.model))
