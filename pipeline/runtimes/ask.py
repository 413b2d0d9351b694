"""Ask a runtime in a child process: for a recording of a split, or for single images."""

from __future__ import annotations

import platform
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.child import run_child
from pipeline.classifier.spec import model_sha256 as hash_model
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.manifest import package_versions
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput, EnvironmentProblem, PipelineError, from_dict
from pipeline.progress import Report, silent
from pipeline.runtimes.android_host import (
    ANDROID,
    ask_host,
    find_host,
    refused_images,
    to_arrays,
)
from pipeline.runtimes.native import TFLITE_SUPPORT_ENV
from pipeline.runtimes.recording import Recording, make_recording

_PACKAGE = {
    RuntimeName.keras: "tensorflow",
    RuntimeName.litert: "ai-edge-litert",
    RuntimeName.task_library: "tflite-support",
    RuntimeName.mediapipe: "mediapipe",
}


@dataclass(frozen=True)
class Answers:
    """Hold what a runtime answered, for the images it could read.

    probabilities: float32 (n, classes); latencies_ms: float64 (n,); answered: int64 (n,), which
    of the asked images each row belongs to; bad: the refusal of each image that was not read.
    """

    probabilities: npt.NDArray[np.float32]
    latencies_ms: npt.NDArray[np.float64]
    answered: npt.NDArray[np.int64]
    bad: dict[int, PipelineError]


def ask(
    runtime: RuntimeName,
    model: Path,
    images: list[tuple[Path, str | None]],
    *,
    image: ImageContract,
    labels: tuple[str, ...],
    threads: int = 1,
    collect_bad: bool = False,
    log: Path | None = None,
    report: Report = silent,
) -> Answers:
    """Let a runtime answer image files, given with their SHA-256 where it is known.

    Raises:
        BadInput: the model, or (unless `collect_bad`) an image, is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    require(runtime)
    model_sha256 = _hash_model(model)
    if runtime in ANDROID:
        return _ask_android(
            runtime, model, images, model_sha256, image, labels, threads, collect_bad, log, report
        )
    with tempfile.TemporaryDirectory(prefix="pipeline-answers-") as folder:
        out = Path(folder) / "answers.npz"
        result = run_child(
            "pipeline.runtimes.answer:answer_child",
            {
                "runtime": runtime,
                "model": str(model),
                "model_sha256": model_sha256,
                "image": image.model_dump(mode="json"),
                "labels": list(labels),
                "threads": threads,
                "images": [{"path": str(path), "sha256": sha} for path, sha in images],
                "collect_bad": collect_bad,
                "out": str(out),
            },
            env=TFLITE_SUPPORT_ENV if runtime is RuntimeName.task_library else None,
            log=log,
            report=report,
        )
        if result["model_sha256"] != model_sha256:
            raise EnvironmentProblem("the runtime answered for another model", where=str(model))
        with np.load(out, allow_pickle=False) as arrays:
            return Answers(
                arrays["probabilities"],
                arrays["latencies_ms"],
                arrays["answered"],
                {entry["index"]: from_dict(entry["error"]) for entry in result["bad"]},
            )


def record(
    runtime: RuntimeName,
    model: Path,
    dataset: DatasetManifest,
    split: Split,
    run: RunDir,
    *,
    image: ImageContract,
    labels: Labels,
    threads: int = 1,
    report: Report = silent,
) -> tuple[Recording, Path]:
    """Record a runtime's answers on one split, or return the recording made before.

    A recording is found again by the hash of everything that decides it, so the slow Keras half
    of a parity check is computed once.

    Raises:
        BadInput: the split is empty, or the model or an image is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    require(runtime)
    chosen = dataset.of(split)
    if not chosen:
        raise BadInput(f"the {split} split has no images", next_step="run `pipeline data prepare`")
    if labels.names != dataset.labels.names:
        raise BadInput(
            "the model's labels are not the dataset's",
            where=str(model),
            expected=", ".join(dataset.labels.names),
            got=", ".join(labels.names),
        )
    runtime_version, code = _version(runtime)
    model_sha256 = _hash_model(model)
    dataset_sha256 = dataset.digest()
    unique = {entry.sha256: entry for entry in chosen}
    key = sha256_json(
        [
            runtime,
            runtime_version,
            model_sha256,
            image.digest(),
            dataset_sha256,
            split,
            threads,
            platform.machine(),
            *code,
        ]
    )
    path = run.recordings / f"{runtime}-{split}-{key[:16]}.json"
    if path.exists() and path.with_suffix(".npz").exists():
        recording = Recording.load(path)
        if recording.facts.model_sha256 == model_sha256:
            return recording, path
    answers = ask(
        runtime,
        model,
        [(dataset.file(entry), entry.sha256) for entry in unique.values()],
        image=image,
        labels=labels.names,
        threads=threads,
        log=run.logs / f"record-{runtime}.log",
        report=report,
    )
    recording = make_recording(
        runtime=runtime,
        runtime_version=runtime_version,
        model_sha256=model_sha256,
        image_contract_sha256=image.digest(),
        labels=labels.names,
        dataset_sha256=dataset_sha256,
        split=split,
        threads=threads,
        host=_host(runtime),
        latencies_ms=answers.latencies_ms,
        image_ids=np.array(list(unique), dtype=np.str_),
        truth=np.array([labels.index(e.label) for e in unique.values()], dtype=np.int64),
        probabilities=answers.probabilities,
    )
    recording.save(path)
    return recording, path


def require(runtime: RuntimeName) -> None:
    """Check that the package of a runtime is installed, or its host built, without importing it.

    Raises:
        EnvironmentProblem: it is not.
    """
    if runtime in ANDROID:
        find_host(runtime)
        return
    package = _PACKAGE[runtime]
    if package_versions(package)[package] == "absent":
        raise EnvironmentProblem(
            f"the runtime {runtime} needs the package {package}, which is not installed",
            next_step=f"uv pip install {package}",
        )


def _version(runtime: RuntimeName) -> tuple[str, list[str]]:
    """Return a runtime's version, and what else of it decides an answer."""
    if runtime in ANDROID:
        host = find_host(runtime)
        return host.runtime_version, [host.digest_of_sources()]
    package = _PACKAGE[runtime]
    return package_versions(package)[package], []


def _host(runtime: RuntimeName) -> str:
    if runtime is RuntimeName.android_arm64:
        return f"{platform.system()}-aarch64, emulated on {platform.machine()}"
    return f"{platform.system()}-{platform.machine()}"


def _ask_android(
    runtime: RuntimeName,
    model: Path,
    images: list[tuple[Path, str | None]],
    model_sha256: str,
    image: ImageContract,
    labels: tuple[str, ...],
    threads: int,
    collect_bad: bool,
    log: Path | None,
    report: Report,
) -> Answers:
    found = ask_host(
        runtime,
        model,
        images,
        image=image,
        labels=labels,
        threads=threads,
        collect_bad=collect_bad,
        log=log,
        report=report,
    )
    if found.model_sha256 != model_sha256:
        raise BadInput("the model file changed while it was being used", where=str(model))
    return Answers(*to_arrays(found, len(labels)), refused_images(found, images))


def _hash_model(model: Path) -> str:
    try:
        return hash_model(model)
    except OSError as error:
        raise BadInput("cannot read the model file", where=str(model), got=str(error)) from error
