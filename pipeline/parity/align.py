"""Bring two recordings to the same images in the same order, or refuse."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.errors import BadInput
from pipeline.runtimes.recording import Recording

_EXAMPLES = 3


@dataclass(frozen=True)
class Pair:
    """Hold two recordings of the same images, row by row.

    image_ids: str (n,), in the reference's order.
    truth: int64 (n,), label indices, -1 where neither recording knows.
    reference, candidate: float32 (n, classes), probabilities.
    """

    labels: tuple[str, ...]
    image_ids: npt.NDArray[np.str_]
    truth: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    candidate: npt.NDArray[np.float32]

    def of_true_class(
        self,
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return truth, reference and candidate probability of it, (labelled images,) each."""
        rows = np.flatnonzero(self.truth >= 0)
        truth = self.truth[rows]
        return truth, self.reference[rows, truth], self.candidate[rows, truth]


def align(reference: Recording, candidate: Recording) -> Pair:
    """Put the candidate's rows in the reference's order.

    A label known to only one of the recordings counts for both.

    Raises:
        BadInput: the recordings are of other images, labels, preprocessing or truth; the message
            names which.
    """
    _same_facts(reference, candidate)
    rows = _rows_of(candidate, reference.image_ids)
    known, other = reference.truth, candidate.truth[rows]
    differs = (known >= 0) & (other >= 0) & (known != other)
    if differs.any():
        raise BadInput(
            "the recordings disagree about the true label",
            expected="one label for each image",
            got=f"{int(differs.sum())} images: {_first(reference.image_ids[differs].tolist())}",
            next_step="record both sides from the same dataset manifest",
        )
    return Pair(
        labels=reference.facts.labels,
        image_ids=reference.image_ids,
        truth=np.where(known >= 0, known, other),
        reference=reference.probabilities,
        candidate=candidate.probabilities[rows],
    )


def _same_facts(reference: Recording, candidate: Recording) -> None:
    left, right = reference.facts, candidate.facts
    for what, expected, got in (
        ("labels", ", ".join(left.labels), ", ".join(right.labels)),
        ("image contract", left.image_contract_sha256, right.image_contract_sha256),
        ("dataset", left.dataset_sha256, right.dataset_sha256),
        ("split", left.split, right.split),
    ):
        if expected != got:
            raise BadInput(
                f"the recordings are not comparable: another {what}",
                where=f"{left.runtime} against {right.runtime}",
                expected=f"{expected} (reference)",
                got=f"{got} (candidate)",
                next_step="record both sides from the same dataset and image contract",
            )


def _rows_of(candidate: Recording, wanted: npt.NDArray[np.str_]) -> npt.NDArray[np.int64]:
    row_of = {image_id: row for row, image_id in enumerate(candidate.image_ids.tolist())}
    ids = wanted.tolist()
    missing = [image_id for image_id in ids if image_id not in row_of]
    extra = sorted(row_of.keys() - set(ids))
    if missing or extra:
        parts = []
        if missing:
            parts.append(f"{len(missing)} missing from the candidate ({_first(missing)})")
        if extra:
            parts.append(f"{len(extra)} only in the candidate ({_first(extra)})")
        raise BadInput(
            "the recordings are of different images",
            expected=f"the reference's {len(ids)} images",
            got="; ".join(parts),
            next_step="record both sides again on the same split",
        )
    return np.array([row_of[image_id] for image_id in ids], dtype=np.int64)


def _first(image_ids: list[str]) -> str:
    more = ", ..." if len(image_ids) > _EXAMPLES else ""
    return ", ".join(image_id[:12] for image_id in image_ids[:_EXAMPLES]) + more
