from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import BadInput
from pipeline.workflow.predict import find_images


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    (tmp_path / "deep").mkdir()
    for name in ("b.jpg", "a.PNG", "notes.txt", "deep/c.webp"):
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_a_folder_gives_its_images_recursively_in_order(photos: Path) -> None:
    names = [str(path.relative_to(photos)) for path in find_images([str(photos)])]
    assert names == ["a.PNG", "b.jpg", "deep/c.webp"]


def test_a_pattern_gives_matching_images_only(photos: Path) -> None:
    assert [path.name for path in find_images([f"{photos}/*"])] == ["a.PNG", "b.jpg"]
    assert [path.name for path in find_images([f"{photos}/**/*.webp"])] == ["c.webp"]


def test_an_image_named_twice_is_taken_once(photos: Path) -> None:
    assert len(find_images([str(photos / "b.jpg"), str(photos), f"{photos}/b*"])) == 3


def test_a_named_file_is_taken_whatever_its_suffix(photos: Path) -> None:
    assert find_images([str(photos / "notes.txt")]) == [photos / "notes.txt"]


@pytest.mark.parametrize("argument", ["missing.jpg", "*.jpg", "empty"])
def test_an_argument_that_names_nothing_is_refused(tmp_path: Path, argument: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="no image here"):
        find_images([str(tmp_path / argument)])
