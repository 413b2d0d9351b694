"""Ask a runtime: for a recording of a split, or for single images."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline import runtimes
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.hashing import sha256_file, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.progress import Report, silent
from pipeline.runtimes.interface import (
    Answers,
    Identity,
    ImageFile,
    InferenceRequest,
)
from pipeline.runtimes.latency import TIMED_INFERENCES
from pipeline.runtimes.recording import Recording, make_recording
from pipeline.runtimes.registry import describe


@dataclass(frozen=True)
class RecordRequest:
    """Say what is to be recorded: a model, how it reads images, and which images.

    `model_sha256` is the hash of the file at `model`; see `hash_model`.
    """

    runtime: RuntimeName
    model: Path
    model_sha256: str
    image: ImageContract
    labels: Labels
    dataset: DatasetManifest
    split: Split
    threads: int = 1


def ask(request: InferenceRequest, *, log: Path | None = None, report: Report = silent) -> Answers:
    """Let a runtime answer image files.

    Raises:
        BadInput: the model, or (unless they are collected) an image, is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    return describe(request.runtime).ask(request, log=log, report=report)


def record(
    request: RecordRequest, run: RunDir, *, report: Report = silent
) -> tuple[Recording, Path]:
    """Record a runtime's answers on one split, or return the recording made before.

    A recording is found again by the hash of everything that decides it, so the slow Keras half
    of a parity check is computed once.

    Raises:
        BadInput: the split is empty, or the model or an image is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    described = describe(request.runtime)
    unique = {entry.sha256: entry for entry in request.dataset.of(request.split)}
    if not unique:
        raise BadInput(
            f"the {request.split} split has no images", next_step="run `pipeline data prepare`"
        )
    _check_labels(request)
    identity = described.identity()
    threads = described.threads_used(request.threads)
    dataset_sha256 = request.dataset.digest()
    key = _key(request, identity, threads, dataset_sha256)
    path = run.recording(request.runtime, request.split, key)
    if path.exists() and path.with_suffix(".npz").exists():
        recording = Recording.load(path)
        if recording.facts.model_sha256 == request.model_sha256:
            return recording, path
    answers = ask(
        InferenceRequest(
            runtime=request.runtime,
            model=request.model,
            model_sha256=request.model_sha256,
            image=request.image,
            labels=request.labels.names,
            images=tuple(
                ImageFile(path=request.dataset.file(entry), sha256=entry.sha256)
                for entry in unique.values()
            ),
            threads=request.threads,
            timed_inferences=TIMED_INFERENCES,
        ),
        log=run.log(f"record-{request.runtime}"),
        report=report,
    )
    recording = make_recording(
        runtime=request.runtime,
        runtime_version=identity.version,
        model_sha256=request.model_sha256,
        image_contract_sha256=request.image.digest(),
        labels=request.labels.names,
        dataset_sha256=dataset_sha256,
        split=request.split,
        threads=threads,
        host=described.host(),
        latencies_ms=answers.latencies_ms,
        image_ids=np.array(list(unique), dtype=np.str_),
        truth=np.array(
            [request.labels.index(entry.label) for entry in unique.values()], dtype=np.int64
        ),
        probabilities=answers.probabilities,
    )
    recording.save(path)
    return recording, path


def hash_model(model: Path) -> str:
    """Return the SHA-256 of a model file.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return sha256_file(model)
    except OSError as error:
        raise BadInput("cannot read the model file", where=str(model), got=str(error)) from error


def _check_labels(request: RecordRequest) -> None:
    expected = request.dataset.labels.names
    if request.labels.names != expected:
        raise BadInput(
            "the model's labels are not the dataset's",
            where=str(request.model),
            expected=", ".join(expected),
            got=", ".join(request.labels.names),
        )


def _key(
    request: RecordRequest, identity: Identity, threads: int | None, dataset_sha256: str
) -> str:
    return sha256_json(
        {
            "runtime": request.runtime,
            "decided_by": identity.decided_by,
            "version": identity.version,
            "revision": runtimes.REVISION,
            "model": request.model_sha256,
            "image": request.image.digest(),
            "dataset": dataset_sha256,
            "split": request.split,
            "threads": threads,
            "processor": platform.machine(),
        }
    )
