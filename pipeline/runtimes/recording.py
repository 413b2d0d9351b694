"""Keep what a runtime answered: probabilities, image ids and where they came from.

A recording is two files of one stem: `.npz` (arrays) and `.json` (facts). What a phone shares is
one JSON file that holds its arrays itself. Parity compares two recordings and imports no framework.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field
from pydantic_core import from_json

from pipeline.contract.base import Frozen
from pipeline.contract.files import (
    MAX_JSON_BYTES,
    MAX_WEIGHTS_BYTES,
    read_regular,
    write_bytes_atomic,
)
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.images import ImageSet
from pipeline.errors import BadInput, reason_of
from pipeline.runtimes.array_claims import check_claims


class _Origin(Frozen):
    """Say which model answered, through which runtime, on which images.

    Latencies are of single inferences of one image, after a warm-up, with nothing else running
    and the input tensor prepared before, in milliseconds; None in the reference of a bundle, which
    is the same bytes whenever it is made. `threads` is how many the runtime used, None where it
    chose for itself.
    """

    made_by: ClassVar[str | None] = "pipeline record --runtime litert BUNDLE"

    schema_version: Literal[1] = 1
    kind: Literal["recording"] = "recording"
    runtime: str
    runtime_version: str
    model_sha256: str
    image_contract_sha256: str
    labels: tuple[str, ...]
    dataset_sha256: str
    split: str
    threads: int | None = Field(ge=1)
    host: str
    count: int = Field(ge=1)
    latency_ms_p50: float | None = Field(ge=0)
    latency_ms_p90: float | None = Field(ge=0)


class RecordingFacts(_Origin):
    """Say where a recording comes from, and pin its arrays."""

    called: ClassVar[str | None] = "recording"

    arrays_sha256: str


class InlineRecording(_Origin):
    """Hold a recording as a phone shares it: one JSON, true labels unknown.

    `image_ids` are the SHA-256 of the image files; `probabilities` hold a row for each of them,
    in the order of `labels`. `self_test_failed` are the images that the phone's own self-test
    failed, those it could not answer among them.
    """

    called: ClassVar[str | None] = "recording"

    image_ids: tuple[str, ...]
    probabilities: tuple[tuple[float, ...], ...]
    self_test_failed: tuple[str, ...] = ()

    def recording(self, where: str) -> Recording:
        """Return it as any other recording.

        Raises:
            BadInput: shapes, ids or labels do not fit together.
        """
        lengths = {len(row) for row in self.probabilities}
        if lengths - {len(self.labels)}:
            raise BadInput(
                "the recording is inconsistent",
                where=where,
                expected=f"{len(self.labels)} probabilities a row, one for each label",
                got=f"rows of {', '.join(map(str, sorted(lengths)))}",
            )
        ids = np.array(self.image_ids, dtype=np.str_)
        truth = np.full(len(ids), -1, np.int64)
        # A number beyond float32 becomes infinity, which the gate judges.
        with np.errstate(over="ignore"):
            rows = np.array(self.probabilities, np.float32)
            rows = rows.reshape(len(self.probabilities), len(self.labels))
        facts = RecordingFacts(
            **self.model_dump(exclude={"image_ids", "probabilities", "self_test_failed"}),
            arrays_sha256=sha256_bytes(_pack(ids, truth, rows)),
        )
        recording = Recording(facts, ids, truth, rows, self.self_test_failed)
        recording.check(where)
        return recording


@dataclass(frozen=True)
class Recording:
    """Hold a recording in memory.

    image_ids: str (n,), the SHA-256 of each image file, unique and in a fixed order.
    truth: int64 (n,), the label index of each image, -1 where unknown.
    probabilities: float32 (n, classes), as the model answered, dequantized.
    self_test_failed: image ids that a phone's self-test failed; of what a phone shared only.
    """

    facts: RecordingFacts
    image_ids: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float32]
    self_test_failed: tuple[str, ...] = ()

    def save(self, json_path: Path) -> None:
        """Write both files; the JSON last, since a recording exists only if it does."""
        data = _pack(self.image_ids, self.truth, self.probabilities)
        if sha256_bytes(data) != self.facts.arrays_sha256:
            raise ValueError("facts do not belong to these arrays")
        write_bytes_atomic(json_path.with_suffix(".npz"), data)
        self.facts.save(json_path)

    @classmethod
    def load(cls, json_path: Path) -> Recording:
        """Read a recording back from its JSON file, of either form.

        Raises:
            BadInput: a file is missing, damaged, or the two do not belong together.
        """
        if _is_inline(json_path):
            return InlineRecording.load(json_path).recording(str(json_path))
        facts = RecordingFacts.load(json_path)
        npz_path = json_path.with_suffix(".npz")
        try:
            data = read_regular(npz_path, max_bytes=MAX_WEIGHTS_BYTES)
        except OSError as error:
            raise BadInput(
                "the recording's arrays are missing", where=str(npz_path), got=reason_of(error)
            ) from error
        if sha256_bytes(data) != facts.arrays_sha256:
            raise BadInput(
                "the recording's arrays were changed",
                where=str(npz_path),
                expected=f"sha256 {facts.arrays_sha256}",
                got=f"sha256 {sha256_bytes(data)}",
                next_step="make the recording again with `pipeline record`",
            )
        try:
            check_claims(data)
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                ids = arrays["image_ids"]
                if ids.dtype.kind == "S":
                    ids = np.char.decode(ids, "ascii")
                recording = cls(facts, ids, arrays["truth"], arrays["probabilities"])
        except (KeyError, TypeError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise BadInput("not a recording", where=str(npz_path), got=reason_of(error)) from error
        recording.check(str(json_path))
        return recording

    def of_images(self, images: ImageSet) -> Recording:
        """Return the answers to these images alone, as belonging to their dataset.

        Raises:
            KeyError: an image was not answered.
        """
        row_of = {image_id: row for row, image_id in enumerate(self.image_ids.tolist())}
        rows = np.array([row_of[image_id] for image_id in images.ids], np.int64)
        ids, truth, probabilities = self.image_ids[rows], self.truth[rows], self.probabilities[rows]
        facts = self.facts.model_copy(
            update={
                "dataset_sha256": images.dataset_sha256,
                "split": images.split,
                "count": len(rows),
                "arrays_sha256": sha256_bytes(_pack(ids, truth, probabilities)),
            }
        )
        return replace(self, facts=facts, image_ids=ids, truth=truth, probabilities=probabilities)

    def without_latency(self) -> Recording:
        """Return the same answers as they are the same bytes whenever they are made."""
        untimed = {"latency_ms_p50": None, "latency_ms_p90": None}
        # Packed as it is saved, also where an earlier release recorded it in another form.
        packed = sha256_bytes(_pack(self.image_ids, self.truth, self.probabilities))
        facts = self.facts.model_copy(update={**untimed, "arrays_sha256": packed})
        return replace(self, facts=facts)

    def check(self, where: str) -> None:
        """Refuse arrays that do not fit together.

        Raises:
            BadInput: shapes, types, ids or labels are inconsistent.
        """
        count, classes = self.facts.count, len(self.facts.labels)
        problem = None
        if self.probabilities.shape != (count, classes):
            problem = f"probabilities of shape {self.probabilities.shape}, not {(count, classes)}"
        elif self.probabilities.dtype != np.float32:
            problem = f"probabilities of type {self.probabilities.dtype}, not float32"
        elif self.image_ids.shape != (count,) or self.truth.shape != (count,):
            problem = "as many ids and labels as probabilities are needed"
        elif self.image_ids.dtype.kind != "U" or self.truth.dtype != np.int64:
            problem = f"ids of type {self.image_ids.dtype} and labels of type {self.truth.dtype}"
        elif len(set(self.image_ids.tolist())) != count:
            problem = "an image id repeats"
        elif int(self.truth.min()) < -1 or int(self.truth.max()) >= classes:
            problem = "a label index is out of range"
        if problem:
            raise BadInput("the recording is inconsistent", where=where, got=problem)


def make_recording(
    *,
    runtime: str,
    runtime_version: str,
    model_sha256: str,
    image_contract_sha256: str,
    labels: tuple[str, ...],
    dataset_sha256: str,
    split: str,
    threads: int | None,
    host: str,
    latencies_ms: npt.NDArray[np.float64],
    image_ids: npt.NDArray[np.str_],
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
) -> Recording:
    """Put arrays and facts together and check them.

    Raises:
        BadInput: the arrays do not fit together.
    """
    facts = RecordingFacts(
        runtime=runtime,
        runtime_version=runtime_version,
        model_sha256=model_sha256,
        image_contract_sha256=image_contract_sha256,
        labels=labels,
        dataset_sha256=dataset_sha256,
        split=split,
        threads=threads,
        host=host,
        count=len(image_ids),
        latency_ms_p50=float(np.percentile(latencies_ms, 50)),
        latency_ms_p90=float(np.percentile(latencies_ms, 90)),
        arrays_sha256=sha256_bytes(_pack(image_ids, truth, probabilities)),
    )
    recording = Recording(facts, image_ids, truth, probabilities)
    recording.check(runtime)
    return recording


def _is_inline(json_path: Path) -> bool:
    try:
        value = from_json(read_regular(json_path, max_bytes=MAX_JSON_BYTES))
    except (OSError, ValueError):
        # Whoever reads it next refuses it in words.
        return False
    return isinstance(value, dict) and "probabilities" in value


def _pack(
    image_ids: npt.NDArray[np.str_],
    truth: npt.NDArray[np.int64],
    probabilities: npt.NDArray[np.float32],
) -> bytes:
    # np.savez stamps no time of its own (zip entries are dated 1980), so equal arrays give
    # equal bytes. A hash takes a byte a digit, not NumPy's four.
    ids: npt.NDArray[np.str_] | npt.NDArray[np.bytes_] = image_ids
    if all(one.isascii() for one in image_ids.tolist()):
        ids = np.char.encode(image_ids, "ascii")
    buffer = io.BytesIO()
    np.savez(buffer, image_ids=ids, truth=truth, probabilities=probabilities)
    return buffer.getvalue()
