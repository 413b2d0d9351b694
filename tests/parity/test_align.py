from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import BadInput
from pipeline.parity.align import align
from tests.parity.recordings import answers, recording

TRUTH = [0, 1, 2, 0]
IDS = ["a" * 64, "b" * 64, "c" * 64, "e" * 64]


def test_the_candidate_is_put_into_the_order_of_the_reference() -> None:
    order = [2, 0, 3, 1]
    rows = answers(TRUTH)
    reference = recording(rows, TRUTH, ids=IDS)
    candidate = recording(rows[order], [TRUTH[i] for i in order], ids=[IDS[i] for i in order])
    pair = align(reference, candidate)
    np.testing.assert_array_equal(pair.candidate, pair.reference)
    assert pair.image_ids.tolist() == IDS
    assert pair.truth.tolist() == TRUTH


@pytest.mark.parametrize(
    ("facts", "what"),
    [
        ({"labels": ("NV", "MEL", "BCC")}, "labels"),
        ({"image_contract_sha256": "e" * 64}, "image contract"),
        ({"dataset_sha256": "e" * 64}, "dataset"),
        ({"split": "test"}, "split"),
    ],
)
def test_other_facts_are_refused_by_name(facts: dict[str, str], what: str) -> None:
    rows = answers(TRUTH)
    with pytest.raises(BadInput, match=f"another {what}"):
        align(recording(rows, TRUTH), recording(rows, TRUTH, **facts))


def test_missing_and_extra_images_are_counted_and_named() -> None:
    reference = recording(answers(TRUTH), TRUTH, ids=IDS)
    candidate = recording(answers(TRUTH), TRUTH, ids=[*IDS[:2], "f" * 64, "9" * 64])
    with pytest.raises(BadInput, match="different images") as caught:
        align(reference, candidate)
    assert caught.value.got == (
        "2 missing from the candidate (cccccccccccc, eeeeeeeeeeee); "
        "2 only in the candidate (999999999999, ffffffffffff)"
    )
    with pytest.raises(BadInput, match="different images"):
        align(reference, recording(answers(TRUTH[:2]), TRUTH[:2], ids=IDS[:2]))


def test_a_contradicting_label_is_refused_and_a_missing_one_filled_in() -> None:
    rows = answers(TRUTH)
    with pytest.raises(BadInput, match="disagree about the true label"):
        align(recording(rows, TRUTH), recording(rows, [0, 1, 1, 0]))
    filled = align(recording(rows, [0, -1, 2, -1]), recording(rows, [-1, 1, 2, -1]))
    assert filled.truth.tolist() == [0, 1, 2, -1]


def test_the_probability_of_the_true_class_leaves_out_unlabelled_images() -> None:
    rows = answers(TRUTH)
    truth, before, after = align(
        recording(rows, [0, -1, 2, 0]), recording(rows[:, ::-1], [0, -1, 2, 0])
    ).of_true_class()
    assert truth.tolist() == [0, 2, 0]
    np.testing.assert_array_equal(before, rows[[0, 2, 3], [0, 2, 0]])
    np.testing.assert_array_equal(after, rows[[0, 2, 3], [2, 0, 2]])
