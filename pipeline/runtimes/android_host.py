"""Let the Android app's own code answer, on a JVM with the unmodified Android library.

`android_demo/check --only host` builds the host and leaves host.json: the class path, the JNI
library, the shim that lets a bionic library run on glibc, and the hash of every source it was
built from. With `--only arm64` it can also run the arm64-v8a library under emulation.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import RuntimeName
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput, EnvironmentProblem, PipelineError
from pipeline.progress import ProgressEvent, Report

ANDROID = (RuntimeName.android, RuntimeName.android_arm64)
_HOST = Path("build") / "host" / "host.json"
_PROJECT = "PIPELINE_ANDROID_PROJECT"
_LOG_TAIL_CHARS = 1500


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


def find_host(runtime: RuntimeName, project: Path | None = None) -> AndroidHost:
    """Find the host built for the Android project, current with its sources.

    Args:
        runtime: android, or android-arm64, which needs the emulated engine.
        project: the project's folder; PIPELINE_ANDROID_PROJECT or android_demo where None.

    Raises:
        EnvironmentProblem: it was not built, or its sources changed since.
        BadInput: host.json is damaged.
    """
    root = project or Path(os.environ.get(_PROJECT, "android_demo"))
    path = root / _HOST
    step = "arm64" if runtime is RuntimeName.android_arm64 else "host"
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
    if runtime is RuntimeName.android_arm64 and host.arm64 is None:
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


def ask_host(
    runtime: RuntimeName,
    model: Path,
    images: list[tuple[Path, str | None]],
    *,
    image: ImageContract,
    labels: tuple[str, ...],
    threads: int,
    collect_bad: bool,
    log: Path | None,
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
    host = find_host(runtime, project)
    engine = host.arm64.engine if runtime is RuntimeName.android_arm64 and host.arm64 else None
    request: dict[str, Any] = {
        "model": str(model.resolve()),
        "threads": threads,
        "images": [{"path": str(path.resolve()), "sha256": sha256} for path, sha256 in images],
        "collect_bad": collect_bad,
        "tensors": None if tensors is None else str(tensors.resolve()),
        "engine": None if engine is None else list(engine),
    }
    with tempfile.TemporaryDirectory(prefix="pipeline-android-") as folder:
        work = Path(folder)
        (work / "request.json").write_text(json.dumps(request), encoding="utf-8")
        code, said = _run(host, work, log or work / "log.txt", f"{runtime} answers", report)
        result = _read(work / "result.json", code, said, log, model)
    found = HostAnswers.model_validate(result)
    _check_contract(found, image, labels, model)
    return found


def to_arrays(
    found: HostAnswers, classes: int
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], npt.NDArray[np.int64]]:
    """Return probabilities float32 (n, classes), latencies_ms float64 (n,), indices int64 (n,)."""
    rows = [answer.probabilities for answer in found.answers]
    return (
        np.array(rows, np.float32).reshape(len(rows), classes),
        np.array([answer.latency_ms for answer in found.answers], np.float64),
        np.array([answer.index for answer in found.answers], np.int64),
    )


def refused_images(
    found: HostAnswers, images: list[tuple[Path, str | None]]
) -> dict[int, PipelineError]:
    """Return the refusal of each image that the app's code could not use."""
    return {bad.index: BadInput(bad.what, where=str(images[bad.index][0])) for bad in found.bad}


def _run(host: AndroidHost, work: Path, log: Path, task: str, report: Report) -> tuple[int, str]:
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
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("wb") as stream:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=stream,
                env={**os.environ, "LD_LIBRARY_PATH": host.shim},
                text=True,
            )
    except FileNotFoundError as error:
        raise EnvironmentProblem(
            "the Android host needs Java", got=str(error), next_step="apt-get install default-jdk"
        ) from error
    failures: list[Exception] = []

    def pump() -> None:
        assert process.stdout is not None
        # Reads to the end whatever happens: a host whose pipe nobody empties would stand still.
        for line in process.stdout:
            try:
                event = json.loads(line)
                report(ProgressEvent(task, event["done"], event["total"]))
            except (ValueError, KeyError, TypeError):
                with log.open("a", encoding="utf-8") as stream:
                    stream.write(line)
            except Exception as error:
                failures.append(error)

    reader = threading.Thread(target=pump, daemon=True)
    reader.start()
    try:
        code = process.wait()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        reader.join(timeout=5)
    if failures:
        raise failures[0]
    return code, log.read_text(encoding="utf-8", errors="replace")[-_LOG_TAIL_CHARS:]


def _read(path: Path, code: int, said: str, log: Path | None, model: Path) -> dict[str, Any]:
    try:
        result = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        result = {}
    if code == BadInput.exit_code and "error" in result:
        raise BadInput(
            "the Android host refuses the model or an image",
            where=str(model),
            got=str(result["error"]),
        )
    if code != 0 or not isinstance(result, dict) or "answers" not in result:
        raise EnvironmentProblem(
            f"the Android host stopped with exit code {code}"
            if code
            else "the Android host ended well but left no answers",
            where=None if log is None else str(log),
            got=said or "nothing was logged",
        )
    return result


def _check_contract(
    found: HostAnswers, image: ImageContract, labels: tuple[str, ...], model: Path
) -> None:
    read = found.image
    for what, expected, got in (
        ("size", (image.height_px, image.width_px), (read.height_px, read.width_px)),
        ("normalization", (image.mean, image.std), (read.mean, read.std)),
        ("labels", labels, found.labels),
    ):
        if expected != got:
            raise BadInput(
                f"the app reads another {what} out of the model",
                where=str(model),
                expected=str(expected),
                got=str(got),
            )
    if any(len(answer.probabilities) != len(labels) for answer in found.answers):
        raise BadInput("the app answers another number of classes", where=str(model))
