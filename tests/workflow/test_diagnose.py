"""Inject every known mistake with OpenCV, and see that it is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Diagnosis, Found
from pipeline.runtimes.recording import Recording
from pipeline.workflow.diagnose import diagnose
from tests.mistakes.injected import FLOAT, INT8, LABELS, Injected, Rows, drawn, turned

pytestmark = pytest.mark.slow

# What a file with float input and output cannot be given.
_INTEGERS_ONLY = {Mistake.zero_point, Mistake.raw_output}
_INJECTED = (
    Mistake.bgr,
    Mistake.unit_range,
    Mistake.raw_range,
    Mistake.mean_std_swapped,
    Mistake.nearest,
    Mistake.bicubic,
    Mistake.antialiased,
    Mistake.center_crop,
    Mistake.letterbox,
    Mistake.exif_ignored,
    Mistake.mirrored,
    Mistake.transposed,
    Mistake.zero_point,
    Mistake.labels_shifted,
    Mistake.labels_permuted,
    Mistake.softmax_twice,
    Mistake.raw_output,
)


def diagnosed(injected: Injected, recipe: str, rows: Rows, folder: Path) -> Diagnosis:
    path = folder / "phone.json"
    injected.recording(rows).save(path)
    return diagnose(injected.models[recipe], path, injected.images, images=200)


@pytest.mark.parametrize("mistake", _INJECTED)
def test_each_mistake_is_named_first(mistake: Mistake, tmp_path: Path) -> None:
    found = diagnosed(drawn(), INT8, drawn().cases(INT8)[mistake], tmp_path)
    assert found.found is Found.known
    assert found.named == (mistake,)
    best = found.suspects[0]
    assert best.images == found.images == len(drawn().ids)
    assert best.flips_explained >= 0.7 * best.flips
    assert best.explained_share > 0.7
    if mistake is Mistake.labels_permuted:
        assert best.order == ("FOUR", "ONE", "FIVE", "THREE", "TWO")


@pytest.mark.parametrize("mistake", [Mistake.unit_range, Mistake.raw_range, Mistake.exif_ignored])
def test_each_mistake_is_named_first_with_a_float_file(mistake: Mistake, tmp_path: Path) -> None:
    found = diagnosed(drawn(), FLOAT, drawn().cases(FLOAT)[mistake], tmp_path)
    assert found.named == (mistake,)
    assert set(found.impossible) == _INTEGERS_ONLY


def test_a_mistake_is_named_though_the_runtime_has_another_file(tmp_path: Path) -> None:
    found = diagnosed(drawn(), INT8, drawn().cases(FLOAT)[Mistake.bgr], tmp_path)
    assert found.named == (Mistake.bgr,)
    assert not found.same_model


@pytest.mark.parametrize(("recipe", "answering"), [(INT8, INT8), (INT8, FLOAT), (FLOAT, INT8)])
def test_a_healthy_recording_does_not_disagree(recipe: str, answering: str, tmp_path: Path) -> None:
    found = diagnosed(drawn(), recipe, drawn().right[answering], tmp_path)
    assert found.found is Found.no_disagreement
    assert found.named == ()


@pytest.mark.parametrize("recipe", [INT8, FLOAT])
def test_what_is_not_known_is_not_named(recipe: str, tmp_path: Path) -> None:
    blurred = diagnosed(drawn(), recipe, drawn().blurred(recipe), tmp_path)
    assert blurred.found is Found.none_known
    assert blurred.flips > 10
    answers = np.random.default_rng(0).dirichlet(np.ones(len(LABELS)), len(drawn().ids))
    random = diagnosed(drawn(), recipe, answers.astype(np.float32), tmp_path)
    assert random.found is Found.none_known
    assert random.named == ()


def test_what_these_images_cannot_show_is_listed(tmp_path: Path) -> None:
    """Upright squares look the same cropped, padded and with EXIF ignored."""
    import cv2

    images = tmp_path / "images"
    images.mkdir()
    pixels = np.random.default_rng(3).integers(0, 256, (12, 64, 64, 3), dtype=np.uint8)
    for i, one in enumerate(pixels):
        cv2.imwrite(str(images / f"{i}.png"), one)
    recorded = _recorded(images, np.full((12, len(LABELS)), 0.2, np.float32))
    recorded.save(tmp_path / "phone.json")
    found = diagnose(drawn().models[FLOAT], tmp_path / "phone.json", images, images=200)
    assert {Mistake.letterbox, Mistake.exif_ignored} <= set(found.unseen)
    assert {suspect.mistake for suspect in found.suspects}.isdisjoint(found.unseen)


@pytest.mark.shared
def test_mistakes_on_real_photographs_are_named_first(shared_dir: Path, tmp_path: Path) -> None:
    """Both files of a network of random features, on 200 photographs, three of four turned."""
    frames = sorted((shared_dir / "data" / "isic2019_fullframe").glob("*.jpg"))
    known = {frame.name for frame in frames}
    sample = shared_dir / "data" / "isic2019_sample" / "ISIC_2019_Training_Input"
    others = [path for path in sorted(sample.glob("*.jpg")) if path.name not in known]
    injected = turned([*frames, *others][:200])
    first = {}
    for mistake, rows in injected.cases(INT8).items():
        found = diagnosed(injected, INT8, rows, tmp_path)
        first[mistake] = found.named[0] if found.named else None
    assert set(first) == set(_INJECTED)
    assert [mistake for mistake, named in first.items() if named is not mistake] == []
    healthy = diagnosed(injected, INT8, injected.right[FLOAT], tmp_path)
    assert healthy.found is Found.no_disagreement
    assert healthy.images == 200


def _recorded(images: Path, rows: Rows) -> Recording:
    from pipeline.contract.hashing import sha256_file
    from tests.parity.recordings import recording

    ids = [sha256_file(path) for path in sorted(images.iterdir())]
    return recording(rows, [-1] * len(ids), runtime="phone", ids=ids, labels=LABELS.names)
