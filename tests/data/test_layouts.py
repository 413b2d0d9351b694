"""Reading the three layouts, and refusing what does not fit them."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.data.layouts.interface import LayoutOptions
from pipeline.data.layouts.read import read_layout
from pipeline.errors import BadInput
from tests.data.pictures import (
    class_folders,
    ham10000,
    isic_2019,
    jpeg,
    one_hot,
    write_csv,
    write_truth,
)


def refusal(source: Path, layout: str = "auto", **options: object) -> str:
    with pytest.raises(BadInput) as caught:
        read_layout(source, layout, **options)  # type: ignore[arg-type]
    return str(caught.value)


def test_a_folder_per_class_gives_sorted_labels_and_a_group_an_image(tmp_path: Path) -> None:
    intake = read_layout(class_folders(tmp_path, {"wart": 2, "mole": 2}))
    assert intake.layout == "folder"
    assert intake.labels.names == ("mole", "wart")
    assert intake.labels.critical == ()
    assert [(i.path, i.label, i.group) for i in intake.items] == [
        ("mole/pic_000.jpg", "mole", "mole/pic_000"),
        ("mole/pic_001.jpg", "mole", "mole/pic_001"),
        ("wart/pic_000.jpg", "wart", "wart/pic_000"),
        ("wart/pic_001.jpg", "wart", "wart/pic_001"),
    ]


def test_all_eight_isic_folders_take_the_isic_order(tmp_path: Path) -> None:
    source = class_folders(tmp_path, dict.fromkeys(sorted(ISIC_2019.names), 1))
    assert read_layout(source, "folder").labels == ISIC_2019


def test_some_isic_folders_are_sorted_and_keep_melanoma_critical(tmp_path: Path) -> None:
    labels = read_layout(class_folders(tmp_path, {"NV": 1, "MEL": 1})).labels
    assert labels.names == ("MEL", "NV")
    assert labels.critical == ("MEL",)
    assert labels.full_name("NV") == "Melanocytic nevus"


def test_given_labels_decide_the_order(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "b": 1})
    assert read_layout(source, "auto", labels=Labels(names=("b", "a"))).labels.names == (
        "b",
        "a",
    )


def test_a_folder_that_is_not_among_the_given_labels_is_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "typo": 1})
    message = refusal(source, labels=Labels(names=("a", "b")))
    assert "unknown class name typo" in message


def test_a_given_label_without_a_folder_is_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "b": 1})
    assert "no folder for the class c" in refusal(source, labels=Labels(names=("a", "b", "c")))


def test_an_empty_class_folder_is_refused_by_name(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1, "empty": 0})
    message = refusal(tmp_path)
    assert "a class folder has no images" in message
    assert str(tmp_path / "empty") in message


def test_a_folder_name_that_cannot_be_a_label_is_refused(tmp_path: Path) -> None:
    assert "plain word" in refusal(class_folders(tmp_path, {"a": 1, "b(2)": 1}))


def test_images_in_nested_folders_belong_to_the_class(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1})
    class_folders(tmp_path / "a", {"more": 2}, seed=50)
    paths = [i.path for i in read_layout(tmp_path).items if i.label == "a"]
    assert paths == ["a/more/pic_000.jpg", "a/more/pic_001.jpg", "a/pic_000.jpg"]


def test_files_that_are_no_images_are_reported_and_left_alone(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1})
    (tmp_path / "a" / "animated.gif").write_bytes(b"GIF89a")
    (tmp_path / "a" / "._pic.jpg").write_bytes(b"\0")
    (tmp_path / "loose.jpg").write_bytes(jpeg(9))
    (tmp_path / "README.txt").write_text("notes")
    (finding,) = read_layout(tmp_path).findings
    assert finding.kind == "ignored_file"
    assert finding.examples == ("a/._pic.jpg", "a/animated.gif", "loose.jpg")


def test_groups_csv_joins_images_of_one_lesion(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 2, "b": 1})
    rows = [("a/pic_000.jpg", "L1"), ("a/pic_001.jpg", "L1"), ("b/pic_000.jpg", "L2")]
    write_csv(tmp_path / "groups.csv", ("image", "group"), rows)
    intake = read_layout(tmp_path)
    assert [i.group for i in intake.items] == ["L1", "L1", "L2"]
    assert not intake.findings


def test_groups_csv_that_names_a_missing_image_is_a_problem(tmp_path: Path) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1})
    write_csv(tmp_path / "groups.csv", ("image", "group"), [("a/gone.jpg", "L1")])
    intake = read_layout(tmp_path)
    assert [(p.kind, p.images) for p in intake.problems] == [("missing_image", ("a/gone.jpg",))]
    assert [f.kind for f in intake.findings] == ["group_unknown"]


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        (("image", "lesion"), [], "lacks the column group"),
        (("image", "group"), [("a/pic_000.jpg", "")], "empty group"),
        (("image", "group"), [("a/pic_000.jpg", "1"), ("a/pic_000.jpg", "2")], "two groups"),
        (("image", "group"), [("a/pic_000.jpg",)], "another number of values"),
    ],
)
def test_a_bad_groups_csv_is_refused(
    tmp_path: Path, header: tuple[str, ...], rows: list[tuple[str, ...]], message: str
) -> None:
    class_folders(tmp_path, {"a": 1, "b": 1})
    write_csv(tmp_path / "groups.csv", header, rows)
    assert message in refusal(tmp_path)


def test_a_link_out_of_the_tree_is_a_problem_and_is_not_read(tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "x.jpg").write_bytes(jpeg(1))
    source = class_folders(tmp_path / "src", {"a": 1, "b": 1})
    (source / "a" / "leak.jpg").symlink_to(secret / "x.jpg")
    (source / "b" / "leaks").symlink_to(secret)
    (source / "c").symlink_to(secret)
    intake = read_layout(source)
    (problem,) = intake.problems
    assert problem.kind == "symlink_outside"
    assert problem.images == ("a/leak.jpg", "b/leaks", "c")
    assert all("leak" not in item.path for item in intake.items)


def test_a_link_inside_the_tree_is_read(tmp_path: Path) -> None:
    source = class_folders(tmp_path, {"a": 1, "b": 1})
    (source / "a" / "again.jpg").symlink_to(source / "a" / "pic_000.jpg")
    intake = read_layout(source)
    assert not intake.problems
    assert "a/again.jpg" in [item.path for item in intake.items]


def test_isic_2019_gives_labels_and_lesions(tmp_path: Path) -> None:
    intake = read_layout(isic_2019(tmp_path))
    assert intake.layout == "isic2019"
    assert intake.labels == ISIC_2019
    assert Counter(i.label for i in intake.items) == dict.fromkeys(ISIC_2019.names, 3)
    assert intake.items[0].group == intake.items[1].group == "HAM_0_1"
    assert intake.items[2].group == "HAM_0_2"
    assert not intake.problems


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ([*one_hot("none")], "no_class"),
        (["1", "1", *["0"] * 7], "several_classes"),
        (["0"] * 8 + ["1"], "unknown_class"),
        (["0.5", "0.5", *["0"] * 7], "not_one_hot"),
        (["yes", *["0"] * 8], "not_one_hot"),
        (["nan", *["0"] * 8], "not_one_hot"),
        (one_hot("MEL"), "missing_image"),
    ],
)
def test_an_isic_row_that_names_no_one_class_or_no_image_is_a_problem(
    tmp_path: Path, row: list[str], kind: str
) -> None:
    isic_2019(tmp_path)
    with (tmp_path / "ISIC_2019_Training_GroundTruth.csv").open("a") as stream:
        stream.write(",".join(["ISIC_9999999", *row]) + "\n")
    (problem,) = read_layout(tmp_path).problems
    assert (problem.kind, problem.images) == (kind, ("ISIC_9999999",))


def test_an_isic_table_without_a_class_column_is_refused(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    write_csv(tmp_path / "ISIC_2019_Training_GroundTruth.csv", ("image", "MEL", "NV"), [])
    assert "lacks the column BCC, AK" in refusal(tmp_path)


def test_an_isic_table_with_an_unknown_class_is_refused(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    header = ("image", *ISIC_2019.names, "WART")
    write_csv(tmp_path / "ISIC_2019_Training_GroundTruth.csv", header, [])
    assert "unknown class name WART" in refusal(tmp_path)


def test_an_isic_image_listed_twice_is_refused(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    with (tmp_path / "ISIC_2019_Training_GroundTruth.csv").open("a") as stream:
        stream.write(",".join(["ISIC_0000000", *one_hot("NV")]) + "\n")
    assert "listed twice" in refusal(tmp_path)


def test_isic_metadata_without_lesions_is_refused(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    write_csv(tmp_path / "ISIC_2019_Training_Metadata.csv", ("image", "sex"), [])
    assert "lacks the column lesion_id" in refusal(tmp_path)


def test_an_isic_image_of_no_known_lesion_is_its_own_group(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    write_csv(tmp_path / "ISIC_2019_Training_Metadata.csv", ("image", "lesion_id"), [])
    intake = read_layout(tmp_path)
    assert len({i.group for i in intake.items}) == len(intake.items) == 24
    assert [(f.kind, f.count) for f in intake.findings] == [("lesion_unknown", 24)]


def test_an_isic_image_that_no_row_names_is_reported(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    (tmp_path / "ISIC_2019_Training_Input" / "extra.jpg").write_bytes(jpeg(5))
    (finding,) = read_layout(tmp_path).findings
    assert (finding.kind, finding.count) == ("unlisted_image", 1)


def ham_truth(path: Path, count: int = 6) -> None:
    images = {f"ISIC_000{n:04d}": ("AK", "SCC")[n % 2] for n in range(count)}
    write_truth(path, images)


def test_ham10000_takes_ak_and_scc_from_the_isic_table(tmp_path: Path) -> None:
    ham10000(tmp_path / "src")
    ham_truth(tmp_path / "truth.csv")
    intake = read_layout(
        tmp_path / "src", "auto", options=LayoutOptions(isic_table=tmp_path / "truth.csv")
    )
    assert intake.layout == "ham10000"
    assert intake.labels == ISIC_2019
    assert Counter(i.label for i in intake.items) == dict.fromkeys(ISIC_2019.names, 3)
    assert not intake.problems
    assert not intake.findings


def test_ham10000_finds_the_isic_table_beside_its_own(tmp_path: Path) -> None:
    ham10000(tmp_path)
    ham_truth(tmp_path / "ISIC_2019_Training_GroundTruth.csv")
    assert read_layout(tmp_path).labels == ISIC_2019


def test_ham10000_images_may_lie_in_one_folder(tmp_path: Path) -> None:
    ham10000(tmp_path)
    ham_truth(tmp_path / "ISIC_2019_Training_GroundTruth.csv")
    one = tmp_path / "images"
    one.mkdir()
    for part in ("HAM10000_images_part_1", "HAM10000_images_part_2"):
        for path in (tmp_path / part).iterdir():
            path.rename(one / path.name)
        (tmp_path / part).rmdir()
    assert len(read_layout(tmp_path).items) == 24


def test_ham10000_without_the_isic_table_says_how_to_divide_akiec(tmp_path: Path) -> None:
    intake = read_layout(ham10000(tmp_path))
    (problem,) = intake.problems
    assert (problem.kind, len(problem.images)) == ("akiec_undivided", 6)
    assert "--isic-table PATH" in problem.next_step
    assert intake.labels.names == ("BCC", "BKL", "DF", "MEL", "NV", "VASC")
    assert [(f.kind, f.examples) for f in intake.findings] == [("class_absent", ("AK", "SCC"))]


def test_an_akiec_that_is_something_else_in_the_isic_table_is_a_problem(tmp_path: Path) -> None:
    ham10000(tmp_path)
    ham_truth(tmp_path / "ISIC_2019_Training_GroundTruth.csv", count=5)
    (problem,) = read_layout(tmp_path).problems
    assert problem.images == ("ISIC_0000005",)


def test_ham10000_refuses_an_unknown_dx(tmp_path: Path) -> None:
    ham10000(tmp_path)
    with (tmp_path / "HAM10000_metadata.csv").open("a") as stream:
        stream.write("HAM_x,ISIC_9,melanoma,histo\n")
    assert "unknown class name 'melanoma'" in refusal(tmp_path)


def test_ham10000_refuses_a_missing_column(tmp_path: Path) -> None:
    write_csv(tmp_path / "HAM10000_metadata.csv", ("image_id", "dx"), [])
    assert "lacks the column lesion_id" in refusal(tmp_path)


def test_ham10000_without_any_image_is_refused(tmp_path: Path) -> None:
    ham10000(tmp_path)
    shutil.rmtree(tmp_path / "HAM10000_images_part_1")
    shutil.rmtree(tmp_path / "HAM10000_images_part_2")
    assert "no image of the table can be used" in refusal(tmp_path)


def test_an_isic_table_with_another_layout_is_refused(tmp_path: Path) -> None:
    source = class_folders(tmp_path / "src", {"a": 1, "b": 1})
    ham_truth(tmp_path / "truth.csv")
    assert "belongs to the layout ham10000" in refusal(
        source, options=LayoutOptions(isic_table=tmp_path / "truth.csv")
    )


def test_auto_refuses_a_folder_that_matches_two_layouts(tmp_path: Path) -> None:
    isic_2019(tmp_path)
    class_folders(tmp_path, {"a": 1, "b": 1})
    message = refusal(tmp_path)
    assert "several layouts match" in message
    assert "folder, isic2019" in message


def test_auto_names_what_it_looked_for(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_images_part_1").mkdir()
    (tmp_path / "HAM10000_images_part_2").mkdir()
    message = refusal(tmp_path)
    assert "no layout matches" in message
    assert "HAM10000_metadata.csv" in message
    assert "ISIC_2019_Training_GroundTruth.csv" in message


def test_auto_refuses_folders_named_like_splits(tmp_path: Path) -> None:
    assert "named like splits" in refusal(class_folders(tmp_path, {"train": 1, "test": 1}))


def test_a_source_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    assert "not a folder" in refusal(tmp_path / "nowhere")


def test_a_table_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_bytes(b"lesion_id,image_id,dx\n\xff\xfe,a,nv\n")
    assert "the table is not UTF-8" in refusal(tmp_path)


def test_what_a_desktop_leaves_is_no_class_and_no_image_and_is_counted(tmp_path: Path) -> None:
    root = class_folders(tmp_path, {"A": 2, "B": 2})
    (root / "__MACOSX" / "A").mkdir(parents=True)
    (root / "__MACOSX" / "A" / "._0.jpg").write_bytes(b"x")
    for folder in (root, root / "A"):
        (folder / ".DS_Store").write_bytes(b"x")
    intake = read_layout(root)
    assert intake.labels.names == ("A", "B")
    assert len(intake.items) == 4
    (finding,) = (one for one in intake.findings if one.kind == "ignored_file")
    assert finding.count == 3
    assert set(finding.examples) == {".DS_Store", "A/.DS_Store", "__MACOSX/A/._0.jpg"}


def test_a_table_with_semicolons_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "HAM10000_metadata.csv").write_text("lesion_id;image_id;dx\na;b;nv\n")
    assert "separated by semicolons, not by commas" in refusal(tmp_path)
