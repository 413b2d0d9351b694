"""Splitting groups: disjoint, covering every class, whatever the order."""

from __future__ import annotations

import warnings
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.dataset import ImageRecord, Split
from pipeline.data.intake import Item
from pipeline.data.splits import refuse_shared_groups, split_groups
from pipeline.errors import BadInput

DEFAULT = (0.7, 0.15, 0.15)


def lesions(counts: dict[str, int], images_each: int = 1) -> list[Item]:
    return [
        Item(f"{label}/{n}-{k}.jpg", label, f"{label}-{n}", "")
        for label, count in counts.items()
        for n in range(count)
        for k in range(images_each)
    ]


@st.composite
def collections(draw: st.DrawFn) -> list[Item]:
    items = []
    for kind in range(draw(st.integers(2, 4))):
        for lesion, images in enumerate(draw(st.lists(st.integers(1, 3), min_size=2, max_size=9))):
            items += [
                Item(f"{kind}/{lesion}-{n}.jpg", f"c{kind}", f"{kind}-{lesion}", "")
                for n in range(images)
            ]
    return items


@settings(max_examples=12, deadline=None)
@given(collections(), st.integers(0, 2**32 - 1), st.randoms(use_true_random=False))
def test_every_class_is_in_train_and_validation_and_the_order_does_not_matter(
    items: list[Item], seed: int, random: object
) -> None:
    classes = sorted({item.label for item in items})
    split_of, _ = split_groups(items, classes, seed=seed, fractions=DEFAULT)
    assert set(split_of) == {item.group for item in items}
    for name in classes:
        splits = {split_of[item.group] for item in items if item.label == name}
        assert {Split.train, Split.validation} <= splits
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert split_groups(shuffled, classes, seed=seed, fractions=DEFAULT)[0] == split_of


@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 12)), min_size=6, max_size=60),
    st.integers(0, 1000),
)
def test_lesions_of_several_classes_are_split_whole_or_refused(
    pairs: list[tuple[str, int]], seed: int
) -> None:
    items = [Item(f"{n}.jpg", label, f"g{group}", "") for n, (label, group) in enumerate(pairs)]
    classes = sorted({label for label, _ in pairs})
    try:
        split_of, _ = split_groups(items, classes, seed=seed, fractions=DEFAULT)
    except BadInput:
        return
    for name in classes:
        splits = {split_of[item.group] for item in items if item.label == name}
        assert {Split.train, Split.validation} <= splits


def test_the_shares_are_kept_in_every_class() -> None:
    items = lesions({"rare": 40, "common": 400})
    split_of, findings = split_groups(items, ("rare", "common"), seed=3, fractions=DEFAULT)
    found = Counter((item.label, split_of[item.group]) for item in items)
    assert found["rare", Split.train] == pytest.approx(28, abs=2)
    assert found["common", Split.train] == pytest.approx(280, abs=4)
    assert found["rare", Split.validation] == pytest.approx(6, abs=2)
    assert found["rare", Split.test] == pytest.approx(6, abs=2)
    assert not findings


def test_another_seed_gives_another_split() -> None:
    items = lesions({"a": 30, "b": 30})
    one, _ = split_groups(items, ("a", "b"), seed=1, fractions=DEFAULT)
    two, _ = split_groups(items, ("a", "b"), seed=2, fractions=DEFAULT)
    assert one != two


def test_a_class_of_two_lesions_is_in_train_and_validation_and_its_absence_from_test_is_said() -> (
    None
):
    items = lesions({"rare": 2, "common": 60})
    split_of, findings = split_groups(items, ("rare", "common"), seed=0, fractions=DEFAULT)
    assert {split_of["rare-0"], split_of["rare-1"]} == {Split.train, Split.validation}
    assert [f.examples for f in findings if f.kind == "class_not_tested"] == [("rare",)]


def test_a_class_of_one_lesion_is_refused_however_many_images_it_has() -> None:
    items = [*lesions({"a": 1}, images_each=9), *lesions({"b": 5})]
    with pytest.raises(BadInput, match="fewer than 2 groups") as caught:
        split_groups(items, ("a", "b"), seed=0, fractions=DEFAULT)
    assert caught.value.got == "a has 1"


def test_a_label_without_images_is_refused() -> None:
    with pytest.raises(BadInput, match="fewer than 2 groups"):
        split_groups(lesions({"a": 5, "b": 5}), ("a", "b", "c"), seed=0, fractions=DEFAULT)


def test_lesions_that_tie_classes_beyond_dividing_are_refused() -> None:
    pairs = {"g1": "ab", "g2": "bc", "g3": "ca"}
    items = [Item(f"{g}{c}.jpg", c, g, "") for g, classes in pairs.items() for c in classes]
    with pytest.raises(BadInput, match="no split has the class"):
        split_groups(items, ("a", "b", "c"), seed=0, fractions=DEFAULT)


def test_a_lesion_with_two_labels_is_reported() -> None:
    items = [*lesions({"a": 9, "b": 9}), Item("x.jpg", "b", "a-0", "")]
    _, findings = split_groups(items, ("a", "b"), seed=0, fractions=DEFAULT)
    assert [f.examples for f in findings if f.kind == "group_of_several_classes"] == [("a-0",)]


@pytest.mark.parametrize(
    "fractions",
    [
        (0.7, 0.2, 0.2),
        (0.71, 0.14, 0.15),
        (1.0, 0.0, 0.0),
        (0.0, 0.5, 0.5),
        (1.2, -0.1, -0.1),
        (float("nan"), 0.5, 0.5),
        (float("inf"), 0.5, 0.5),
    ],
)
def test_shares_that_do_not_fit_are_refused(fractions: tuple[float, float, float]) -> None:
    with pytest.raises(BadInput, match="shares"):
        split_groups(lesions({"a": 9, "b": 9}), ("a", "b"), seed=0, fractions=fractions)


def test_a_split_without_test_images_may_be_asked_for() -> None:
    items = lesions({"a": 40, "b": 40})
    split_of, findings = split_groups(items, ("a", "b"), seed=0, fractions=(0.8, 0.2, 0.0))
    assert set(split_of.values()) == {Split.train, Split.validation}
    assert not findings


def test_small_classes_raise_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split_groups(lesions({"a": 3, "b": 30}), ("a", "b"), seed=0, fractions=DEFAULT)


def test_a_group_in_two_splits_is_refused_with_its_name() -> None:
    records = [
        ImageRecord(
            path=f"{split}.jpg",
            label="a",
            group="L7",
            split=split,
            width_px=1,
            height_px=1,
            size_bytes=1,
            sha256="0" * 64,
        )
        for split in (Split.train, Split.test)
    ]
    with pytest.raises(BadInput, match="1 groups are in two splits") as caught:
        refuse_shared_groups(records)
    assert caught.value.got == "L7"
