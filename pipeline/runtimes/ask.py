"""Ask a runtime: for a recording of a split, or for single images."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline import runtimes
from pipeline.classifier.spec import model_sha256
from pipeline.contract.choices import RuntimeName
from pipeline.contract.hashing import sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.images import ImageSet
from pipeline.contract.labels import Labels
from pipeline.contract.normalization import Normalization
from pipeline.contract.run import RunDir
from pipeline.contract.sealed import is_whole, seal
from pipeline.errors import BadInput, reason_of
from pipeline.progress import Report, silent
from pipeline.runtimes.conventions import PROBE_IMAGES, Chosen, Conventions
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

    `model_sha256` is the hash of what is at `model`; see `hash_model`. `normalization` and
    `logits` are those of a Keras model. `probe_normalizations` are others that it is asked under
    too, on a part of the images.
    """

    runtime: RuntimeName
    model: Path
    model_sha256: str
    image: ImageContract
    labels: Labels
    images: ImageSet
    threads: int = 1
    normalization: Normalization | None = None
    logits: bool = False
    probe_normalizations: tuple[Normalization, ...] = ()


def ask(request: InferenceRequest, *, log: Path | None = None, report: Report = silent) -> Answers:
    """Let a runtime answer image files.

    Raises:
        BadInput: the model, or (unless they are collected) an image, is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    return describe(request.runtime).ask(request, log=log, report=report)


@dataclass(frozen=True)
class Recorded:
    """Hold a recording, its file, and whether it was found or made now."""

    recording: Recording
    path: Path
    origin: Literal["made", "found"]


def record(
    request: RecordRequest, run: RunDir, *, fresh: bool = False, report: Report = silent
) -> Recorded:
    """Record a runtime's answers to images, or return the recording made before.

    A recording is found again by the hash of everything that decides it, so the slow Keras half
    of a parity check is computed once. With `fresh` it is made now in any case.

    Raises:
        BadInput: there are no images, or the model or an image is refused.
        EnvironmentProblem: the runtime is not installed, or its process died.
    """
    described = describe(request.runtime)
    images = request.images
    if not images.images:
        raise BadInput(
            f"the {images.split} split has no images", next_step="run `pipeline data prepare`"
        )
    _check_labels(request)
    identity = described.identity()
    threads = described.threads_used(request.threads)
    key = _key(request, identity, threads)
    path = run.recording(request.runtime, images.split, key)
    conventions_path = run.conventions(key)
    parts = [path, path.with_suffix(".npz")]
    if request.probe_normalizations:
        parts.append(conventions_path)
    if not fresh and all(is_whole(part, report) for part in parts):
        recording = Recording.load(path)
        if recording.facts.model_sha256 == request.model_sha256:
            return Recorded(recording, path, "found")
    answers = ask(
        InferenceRequest(
            runtime=request.runtime,
            model=request.model,
            model_sha256=request.model_sha256,
            image=request.image,
            labels=request.labels.names,
            images=tuple(ImageFile(path=one.path, sha256=one.sha256) for one in images.images),
            threads=request.threads,
            timed_inferences=TIMED_INFERENCES,
            normalization=request.normalization,
            logits=request.logits,
            probe_normalizations=request.probe_normalizations,
            probe_images=PROBE_IMAGES if request.probe_normalizations else 0,
        ),
        log=run.log(f"record-{request.runtime}"),
        report=report,
    )
    recording = make_recording(
        runtime=request.runtime,
        runtime_version=identity.version,
        model_sha256=request.model_sha256,
        image_contract_sha256=request.image.pixels_digest(),
        labels=request.labels.names,
        dataset_sha256=images.dataset_sha256,
        split=images.split,
        threads=threads,
        host=described.host(),
        latencies_ms=answers.latencies_ms,
        image_ids=np.array(images.ids, dtype=np.str_),
        truth=np.array(
            [-1 if one.label is None else request.labels.index(one.label) for one in images.images],
            dtype=np.int64,
        ),
        probabilities=answers.probabilities,
    )
    if request.probe_normalizations:
        # Before the recording: one that is found has its conventions beside it.
        _conventions(request, answers, recording).save(conventions_path)
    recording.save(path)
    for part in parts:
        seal(part)
    return Recorded(recording, path, "made")


def conventions_of(request: RecordRequest, run: RunDir, recording: Recording) -> Conventions:
    """Return what the same record request answered under other normalizations.

    Raises:
        BadInput: it was not recorded, or belongs to another recording.
    """
    described = describe(request.runtime)
    threads = described.threads_used(request.threads)
    key = _key(request, described.identity(), threads)
    conventions = Conventions.load(run.conventions(key))
    if conventions.arrays_sha256 != recording.facts.arrays_sha256:
        raise BadInput(
            "what the model answers under other normalizations belongs to another recording",
            where=str(run.conventions(key)),
            next_step="delete the file and run the command again",
        )
    return conventions


def hash_model(model: Path) -> str:
    """Return the SHA-256 of a model file or folder.

    Raises:
        BadInput: it cannot be read.
    """
    try:
        return model_sha256(model)
    except OSError as error:
        raise BadInput(
            "cannot read the model file", where=str(model), got=reason_of(error)
        ) from error


def _conventions(request: RecordRequest, answers: Answers, recording: Recording) -> Conventions:
    return Conventions(
        arrays_sha256=recording.facts.arrays_sha256,
        rows=tuple(int(row) for row in answers.probed),
        chosen=tuple(
            Chosen(normalization=one, classes=tuple(int(k) for k in rows.argmax(axis=1)))
            for one, rows in zip(
                request.probe_normalizations, answers.by_normalization, strict=True
            )
        ),
    )


def _dumped(normalization: Normalization | None) -> dict[str, object] | None:
    return None if normalization is None else normalization.model_dump(mode="json")


def _check_labels(request: RecordRequest) -> None:
    """Refuse a dataset with classes that the model does not have; it may lack some of them."""
    unknown = [n for n in request.images.labels.names if n not in request.labels.names]
    if unknown:
        raise BadInput(
            "the dataset has classes that are not among the model's labels",
            where=str(request.model),
            expected=", ".join(request.labels.names),
            got=", ".join(unknown),
        )


def _key(request: RecordRequest, identity: Identity, threads: int | None) -> str:
    return sha256_json(
        {
            "runtime": request.runtime,
            "decided_by": identity.decided_by,
            "version": identity.version,
            "revision": runtimes.REVISION,
            "model": request.model_sha256,
            "image": request.image.digest(),
            "labels": list(request.labels.names),
            "dataset": request.images.dataset_sha256,
            "split": request.images.split,
            "threads": threads,
            "normalization": _dumped(request.normalization),
            "logits": request.logits,
            "probed": [_dumped(one) for one in request.probe_normalizations],
            "processor": platform.machine(),
        }
    )
