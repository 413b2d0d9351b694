"""Read any images of a user: labelled, unlabelled, of every layout, or a prepared dataset."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pipeline.contract.choices import Split
from pipeline.contract.hashing import sha256_file
from pipeline.contract.images import ALL_IMAGES
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.contract.run import RunDir
from pipeline.data.attributes import attributes_of
from pipeline.data.choices import OnBad
from pipeline.data.images import read_images
from pipeline.data.prepare import prepare
from pipeline.errors import BadInput
from tests.data.pictures import class_folders, isic_2019, jpeg, write_csv

LABELS = Labels(names=("a", "b", "c"))


def test_all_images_of_class_folders_are_read_though_a_class_is_missing(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"b": 2, "c": 1})
    found = read_images(source, labels=LABELS)
    assert (found.split, found.labels) == (ALL_IMAGES, LABELS)
    assert [(one.path.relative_to(source).as_posix(), one.label) for one in found.images] == [
        ("b/pic_000.jpg", "b"),
        ("b/pic_001.jpg", "b"),
        ("c/pic_000.jpg", "c"),
    ]
    assert list(found.ids) == [sha256_file(one.path) for one in found.images]
    assert not found.unlabelled


def test_one_class_folder_is_enough(tmp_path: Path) -> None:
    found = read_images(class_folders(tmp_path, {"c": 2}), labels=LABELS)
    assert [one.label for one in found.images] == ["c", "c"]


def test_images_without_class_folders_have_no_labels(tmp_path: Path) -> None:
    (tmp_path / "one.jpg").write_bytes(jpeg(1))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "two.jpg").write_bytes(jpeg(2))
    found = read_images(tmp_path, labels=LABELS)
    assert found.unlabelled
    assert len(found.images) == 2


def test_folders_named_otherwise_are_not_taken_for_images_without_labels(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"Alpha": 1, "Beta": 1})
    with pytest.raises(BadInput, match="unknown class name Alpha, Beta"):
        read_images(source, labels=LABELS)
    assert read_images(source, labels=LABELS, layout="unlabelled").unlabelled


def test_a_copy_under_other_names_is_the_same_dataset(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "one", {"a": 2, "b": 2})
    copy = tmp_path / "two"
    for number, image in enumerate(sorted(source.rglob("*.jpg"))):
        (copy / image.parent.name).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(image, copy / image.parent.name / f"renamed-{9 - number}.jpg")
    one, two = (read_images(folder, labels=LABELS) for folder in (source, copy))
    assert one.dataset_sha256 == two.dataset_sha256
    assert set(one.ids) == set(two.ids)
    (copy / "a" / "another.jpg").write_bytes(jpeg(99))
    assert read_images(copy, labels=LABELS).dataset_sha256 != one.dataset_sha256


def test_copies_of_a_file_count_once_and_under_two_labels_are_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 2, "b": 1})
    shutil.copyfile(source / "a" / "pic_000.jpg", source / "a" / "copy.jpg")
    assert len(read_images(source, labels=LABELS).images) == 3
    shutil.copyfile(source / "a" / "pic_000.jpg", source / "b" / "copy.jpg")
    with pytest.raises(BadInput, match="3 images cannot be used"):
        read_images(source, labels=LABELS)
    left = read_images(source, labels=LABELS, on_bad=OnBad.skip)
    assert sorted(one.path.name for one in left.images) == ["pic_000.jpg", "pic_001.jpg"]


def test_an_image_that_cannot_be_decoded_is_left_out_where_that_is_asked(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "b": 1})
    (source / "a" / "torn.jpg").write_bytes(jpeg(5)[:60])
    assert len(read_images(source, labels=LABELS).images) == 3
    assert len(read_images(source, labels=LABELS, on_bad=OnBad.skip).images) == 2


def test_a_prepared_dataset_is_read_whole_or_by_split(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    dataset = prepare(class_folders(tmp_path / "images", {"a": 6, "b": 6}), run)
    whole = read_images(run.dataset, labels=None)
    assert (len(whole.images), whole.split) == (12, ALL_IMAGES)
    part = read_images(run.dataset, labels=LABELS, split=Split.validation)
    assert part.split == "validation"
    assert part.ids == tuple(one.sha256 for one in dataset.of(Split.validation))
    assert part.dataset_sha256 == whole.dataset_sha256 == dataset.digest()
    with pytest.raises(BadInput, match="not among the model's labels"):
        read_images(run.dataset, labels=Labels(names=("a", "x")))
    with pytest.raises(BadInput, match="has no splits"):
        read_images(tmp_path / "images", labels=LABELS, split=Split.validation)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(BadInput, match="not where they were prepared"):
        read_images(run.dataset, labels=LABELS)


def test_nothing_here_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there are no images here"):
        read_images(tmp_path / "nowhere", labels=LABELS)
    with pytest.raises(BadInput, match="the folder has no images"):
        read_images(tmp_path, labels=LABELS)


def test_one_image_leads_to_its_folder(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8")
    with pytest.raises(BadInput, match="one file is no folder") as refused:
        read_images(tmp_path / "a.jpg", labels=LABELS)
    assert refused.value.next_step == f"give the folder: {tmp_path}"


def test_subgroups_come_from_the_tables_and_decide_no_dataset(tmp_path: Path) -> None:
    source = isic_2019(tmp_path / "images")
    found = read_images(source, labels=ISIC_2019)
    assert all(one.attributes == {} for one in found.images)
    table = source / "ISIC_2019_Training_Metadata.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    header = f"{lines[0]},age_approx,sex"
    rows = [f"{line},{30 + number},female" for number, line in enumerate(lines[1:])]
    before = prepare(source, RunDir(tmp_path / "one")).digest()
    table.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    after = prepare(source, RunDir(tmp_path / "two"))
    assert after.digest() == before
    assert after.images[0].attributes == {"age_band": "30 to 49", "sex": "female"}
    assert read_images(source, labels=ISIC_2019).images[0].attributes == after.images[0].attributes


def test_class_folders_may_have_a_table_of_subgroups(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "b": 1})
    write_csv(
        source / "metadata.csv",
        ("image", "age_approx", "anatom_site_general"),
        [("a/pic_000.jpg", 75, "Head/Neck")],
    )
    one, other = read_images(source, labels=LABELS).images
    assert one.attributes == {"age_band": "70 and over", "site": "head/neck"}
    assert other.attributes == {}


@pytest.mark.parametrize(
    ("row", "attributes"),
    [
        ({"age": "29.9", "localization": "back"}, {"age_band": "under 30", "site": "back"}),
        ({"age_approx": "0", "sex": "Male"}, {"age_band": "under 30", "sex": "male"}),
        ({"age_approx": "-1", "sex": "unknown"}, {}),
        ({"age": "nan", "fitspatrick": "2"}, {"skin_type": "2"}),
        ({"age_approx": "", "age": "50"}, {"age_band": "50 to 69"}),
    ],
)
def test_subgroups_of_a_row(row: dict[str, str], attributes: dict[str, str]) -> None:
    assert attributes_of(row) == attributes
