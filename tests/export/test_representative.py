from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput
from pipeline.export.representative import prove_disjoint, representative_images

LABELS = Labels(names=("A", "B", "C"))


def record(label: str | None, name: str, split: Split, content: str | None = None) -> ImageRecord:
    return ImageRecord(
        path=f"{name}.jpg",
        label=label,
        group=name,
        split=split,
        width_px=1,
        height_px=1,
        size_bytes=1,
        sha256=sha256_bytes((content or name).encode()),
    )


def dataset(*images: ImageRecord) -> DatasetManifest:
    return DatasetManifest(
        root="/data",
        layout="folder",
        labels=LABELS,
        seed=0,
        fractions=(0.7, 0.15, 0.15),
        images=images,
    )


def training(sizes: dict[str, int]) -> list[ImageRecord]:
    return [
        record(label, f"{label}{i}", Split.train) for label, n in sizes.items() for i in range(n)
    ]


HELD_OUT = [record("A", "held", Split.validation), record("B", "kept", Split.test)]


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.fixed_dictionaries({label: st.integers(1, 30) for label in LABELS.names}),
    count=st.integers(1, 100),
    seed=st.integers(0, 5),
)
def test_the_asked_number_is_picked_from_training_with_every_label_while_it_allows(
    sizes: dict[str, int], count: int, seed: int
) -> None:
    picked = representative_images(dataset(*training(sizes), *HELD_OUT), count, seed)
    total = sum(sizes.values())
    assert len({image.sha256 for image in picked}) == len(picked) == min(count, total)
    assert all(image.split is Split.train for image in picked)
    counts = Counter(image.label for image in picked)
    if count >= len(sizes):
        assert set(counts) == set(sizes)
        fair = {label: min(count, total) * n / total for label, n in sizes.items()}
        assert all(abs(counts[label] - fair[label]) <= len(sizes) for label in sizes)


def test_the_order_and_the_names_of_the_images_do_not_matter() -> None:
    images = [*training({"A": 9, "B": 5, "C": 3}), *HELD_OUT]
    first = representative_images(dataset(*images), 7, 1)
    shuffled = representative_images(dataset(*reversed(images)), 7, 1)
    renamed = [one.model_copy(update={"path": f"x/{i}.png"}) for i, one in enumerate(images)]
    moved = representative_images(dataset(*renamed), 7, 1)
    hashes = [image.sha256 for image in first]
    assert [image.sha256 for image in shuffled] == hashes
    assert [image.sha256 for image in moved] == hashes
    assert [i.sha256 for i in representative_images(dataset(*images), 7, 2)] != hashes


def test_content_that_is_also_held_out_is_refused_whatever_its_name() -> None:
    copy = record("A", "copy", Split.train, content="held")
    with pytest.raises(BadInput, match="judged on") as caught:
        representative_images(dataset(copy, *HELD_OUT), 1, 0)
    assert "copy.jpg, the same as held.jpg in validation" in str(caught.value.got)


def test_an_image_of_another_split_is_refused_even_where_its_content_is_unique() -> None:
    held = HELD_OUT[0]
    other = dataset(record("A", "a", Split.train), HELD_OUT[1])
    with pytest.raises(BadInput, match="judged on"):
        prove_disjoint([held], other)


def test_the_same_content_twice_in_training_counts_once() -> None:
    images = [record("A", f"a{i}", Split.train, content="same") for i in range(4)]
    picked = representative_images(dataset(*images, record("B", "b", Split.train)), 5, 0)
    assert len(picked) == 2


def test_a_dataset_without_training_images_is_refused() -> None:
    with pytest.raises(BadInput, match="no training images"):
        representative_images(dataset(*HELD_OUT), 5, 0)


def test_images_without_labels_are_drawn_by_content_alone() -> None:
    images = [record(None, f"p{i}", Split.train) for i in range(20)]
    held = [record(None, "held", Split.validation)]
    picked = representative_images(dataset(*images, *held), 8, seed=3)
    assert len({one.sha256 for one in picked}) == 8
    again = representative_images(dataset(*held, *reversed(images)), 8, seed=3)
    assert picked == again
    rest = representative_images(dataset(*images, *held), 8, seed=3, exclude=picked)
    assert not {one.sha256 for one in picked} & {one.sha256 for one in rest}
