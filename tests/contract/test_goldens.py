from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.contract.bundle import GOLDENS_FILE
from pipeline.contract.goldens import Goldens, load_goldens
from pipeline.contract.image import ImageContract
from pipeline.errors import BadInput
from tests.contract.goldens import ANSWERS, PHOTOS, bundle, golden, goldens


def test_goldens_come_back_as_they_were_saved(tmp_path: Path) -> None:
    goldens().save(tmp_path / "goldens.json")
    assert Goldens.load(tmp_path / "goldens.json") == goldens()


ONE = golden("one.jpg", PHOTOS[0], ANSWERS[0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"goldens": ()}, "at least 1"),
        ({"goldens": (ONE, ONE.model_copy(update={"file": "b.jpg"}))}, "photo is listed twice"),
        ({"goldens": (ONE, ONE.model_copy(update={"sha256": "c" * 64}))}, "file is listed twice"),
        ({"labels": ("MEL", "NV", "AK")}, "one.jpg: the probabilities are not one for each"),
        ({"labels": ("MEL", "NV", "BCC", "BCC")}, "not one for each"),
        ({"tolerance": 0.0}, "greater than 0"),
        ({"model_sha256": "abc"}, "pattern"),
    ],
)
def test_goldens_that_prove_nothing_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        goldens(**({"goldens": (ONE,)} | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"file": "../photo.jpg"},
        {"file": "photo.png"},
        {"cell_means": ((1.0, 2.0, 3.0),) * 15},
        {"cell_means": ((1.0, 2.0, 256.0),) * 16},
        {"about": ""},
        {"width_px": 0},
    ],
)
def test_a_golden_that_is_none_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        golden(**({"file": "one.jpg", "photo": PHOTOS[0], "answer": ANSWERS[0]} | changes))


def test_the_goldens_of_a_bundle_are_found(tmp_path: Path) -> None:
    assert load_goldens(bundle(tmp_path, goldens())) == goldens()


def test_a_bundle_without_goldens_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no goldens"):
        load_goldens(bundle(tmp_path, None))


@pytest.mark.parametrize("name", ["goldens/photo-1.jpg", GOLDENS_FILE])
def test_changed_goldens_are_refused(tmp_path: Path, name: str) -> None:
    folder = bundle(tmp_path, goldens())
    (folder / name).write_bytes((folder / name).read_bytes() + b" ")
    with pytest.raises(BadInput, match="differs from its manifest"):
        load_goldens(folder)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model_sha256": "0" * 64}, "another model"),
        ({"image_contract_sha256": ImageContract(mean=0.0).digest()}, "another image contract"),
        ({"labels": ("NV", "MEL", "BCC")}, "another labels"),
        ({"goldens": (golden("photo-9.jpg", PHOTOS[0], ANSWERS[0]),)}, "photo is not the one"),
        ({"goldens": (golden("photo-0.jpg", PHOTOS[1], ANSWERS[0]),)}, "photo is not the one"),
    ],
)
def test_goldens_of_something_else_are_refused(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        load_goldens(bundle(tmp_path, goldens(**changes)))
