"""The shared values: what they accept, what they refuse, and their digests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Io, Quantize, Repair, default_io
from pipeline.contract.dataset import DatasetManifest, ImageRecord, Split
from pipeline.contract.hashing import canonical_json, sha256_bytes, sha256_file, sha256_json
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import ISIC_2019, Labels
from pipeline.contract.recipe import Recipe, recipes_of
from pipeline.contract.search import SearchRecord
from pipeline.errors import BadInput

EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values))
def test_the_order_of_keys_does_not_change_a_digest(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical_json(turned) == canonical_json(value)
    assert sha256_json(turned) == sha256_json(value)


def test_hashes_are_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "empty").write_bytes(b"")
    assert sha256_bytes(b"") == sha256_file(tmp_path / "empty") == EMPTY


def test_numbers_that_json_lacks_have_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON"):
        sha256_json({"x": float("nan")})


def test_the_default_contract_is_256_rgb_from_minus_one_to_one() -> None:
    contract = ImageContract()
    assert contract.input_shape == (1, 256, 256, 3)
    assert contract.float_range == (-1.0, 1.0)


@pytest.mark.parametrize(
    "fields",
    [
        {"height_px": 7},
        {"width_px": 0},
        {"height_px": 4097},
        {"std": 0.0},
        {"mean": float("nan")},
        {"mean": float("inf")},
        {"resize": "nearest"},
        {"color": "BGR"},
        {"max_image_px": 0},
        {"brightness": 1},
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ImageContract.model_validate(fields)


def test_a_value_never_changes() -> None:
    with pytest.raises(ValidationError):
        ImageContract().height_px = 64  # type: ignore[misc]


def test_equal_contracts_have_equal_digests_and_others_do_not() -> None:
    assert ImageContract(height_px=256).digest() == ImageContract().digest()
    assert ImageContract(height_px=224).digest() != ImageContract().digest()


def test_a_saved_value_is_read_back(tmp_path: Path) -> None:
    contract = ImageContract(height_px=224, width_px=192)
    contract.save(tmp_path / "deep" / "contract.json")
    assert ImageContract.load(tmp_path / "deep" / "contract.json") == contract


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no image contract here"),
        (b"", "not a valid image contract"),
        (b"{", "not a valid image contract"),
        (b'{"height_px": "tall"}', "height_px"),
        (b'{"surprise": 1}', "surprise"),
        (b"\xff\xfe", "the image contract is not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_with_its_name(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    path = tmp_path / "contract.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInput) as caught:
        ImageContract.load(path)
    assert message in str(caught.value)
    assert caught.value.where == str(path)


def test_the_isic_labels_are_those_of_the_challenge() -> None:
    assert ISIC_2019.names == ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
    assert ISIC_2019.critical == ("MEL",)
    assert ISIC_2019.index("AK") == 3
    assert ISIC_2019.full_name("AK") == "Actinic keratosis"
    assert ISIC_2019.text() == "MEL\nNV\nBCC\nAK\nBKL\nDF\nVASC\nSCC\n"


def test_a_label_without_a_full_name_is_shown_as_it_is() -> None:
    assert Labels(names=("a", "b")).full_name("b") == "b"
    assert Labels(names=("a", "b"), full_names={"a": "Ay"}).full_names_text() == "Ay\nb\n"


@pytest.mark.parametrize(
    "fields",
    [
        {"names": ("one",)},
        {"names": ("a", "a")},
        {"names": ("a", "")},
        {"names": ("a", "b\nc")},
        {"names": ("a", " b")},
        {"names": ("a", "b ")},
        {"names": ("a", "../b")},
        {"names": ("a", "b"), "critical": ("c",)},
        {"names": ("a", "b"), "full_names": {"c": "sea"}},
        {"names": ("a", "b"), "full_names": {"a": ""}},
        {"names": ("a", "b"), "full_names": {"a": " ay"}},
        {"names": ("a", "b"), "full_names": {"a": "ay\u2028bee"}},
    ],
)
def test_labels_that_are_no_label_set_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Labels.model_validate(fields)


def test_the_order_of_labels_is_part_of_their_digest() -> None:
    assert Labels(names=("a", "b")).digest() != Labels(names=("b", "a")).digest()


@pytest.mark.parametrize("quantize", [q for q in Quantize if q is not Quantize.int8])
@pytest.mark.parametrize("io", [Io.uint8, Io.int8])
def test_whole_number_io_needs_int8(quantize: Quantize, io: Io) -> None:
    with pytest.raises(ValidationError, match="needs quantize int8"):
        Recipe(quantize=quantize, io=io)


@pytest.mark.parametrize(
    "fields",
    [
        {"quantize": "float16", "repair": "max"},
        {"quantize": "float16", "steps": ("ranges",)},
        {"steps": ("mixed-precision",)},
        {"steps": ("ranges",), "float16_layers": ("a",)},
    ],
)
def test_repair_belongs_to_int8_and_layers_in_floats_to_their_step(
    fields: dict[str, object],
) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(fields)


@pytest.mark.parametrize(
    ("steps", "problem"),
    [
        (("ranges", "rounding"), "step rounding needs bias-correction"),
        (("rounding",), "step rounding needs bias-correction"),
        (("bias-correction", "ranges"), "in the order ranges, bias-correction"),
        (("ranges", "ranges"), "listed once each"),
        (("ranges", "straightening"), "steps.1"),
    ],
)
def test_steps_that_would_not_be_run_as_listed_are_refused(
    steps: tuple[str, ...], problem: str
) -> None:
    with pytest.raises(ValidationError, match=problem):
        Recipe.model_validate({"steps": steps})


@pytest.mark.parametrize(
    "steps", [(), ("equalization",), ("bias-correction", "rounding"), ("ranges", "equalization")]
)
def test_steps_that_are_run_are_taken(steps: tuple[str, ...]) -> None:
    assert Recipe.model_validate({"steps": steps}).steps == steps


def test_the_earlier_name_of_float32_is_still_read() -> None:
    for recipe in (
        Recipe.model_validate({"quantize": "none"}),
        Recipe.model_validate_json('{"quantize": "none", "io": "float32"}'),
    ):
        assert recipe == Recipe(quantize=Quantize.float32)
        assert recipe.model_dump(mode="json")["quantize"] == "float32"
    assert "none" not in list(Quantize)


def test_a_search_of_an_earlier_manifest_is_still_read() -> None:
    trial = {
        "steps": ["ranges"],
        "agreement": 0.99,
        "mean_difference": 0.01,
        "balanced_accuracy": None,
        "critical_recall": {},
        "size_bytes": 1,
        "latency_ms_p50": 1.0,
    }
    earlier = SearchRecord.model_validate({"rungs": [{**trial, "passed": True}]})
    assert earlier == SearchRecord.model_validate({"trials": [{**trial, "meets_target": True}]})
    dumped = earlier.model_dump(mode="json")
    assert dumped["trials"][0]["meets_target"] is True
    assert SearchRecord.model_validate(dumped) == earlier


@pytest.mark.parametrize("quantize", list(Quantize))
def test_the_default_io_of_every_recipe_is_allowed(quantize: Quantize) -> None:
    recipe = Recipe(quantize=quantize, io=default_io(quantize))
    assert recipe.io is (Io.uint8 if quantize is Quantize.int8 else Io.float32)


def test_recipe_names_tell_recipes_apart() -> None:
    recipes = [Recipe(io=io) for io in Io] + [
        Recipe(quantize=q) for q in Quantize if q is not Quantize.int8
    ]
    assert [r.name for r in recipes] == [
        "int8-float32",
        "int8-uint8",
        "int8-int8",
        "float32",
        "float16",
        "dynamic",
    ]


@pytest.mark.parametrize("fields", [{"representative_count": 0}, {"seed": -1}])
def test_a_recipe_without_images_or_with_a_negative_seed_is_refused(
    fields: dict[str, int],
) -> None:
    with pytest.raises(ValidationError):
        Recipe.model_validate(fields)


def record(**changes: Any) -> ImageRecord:
    fields: dict[str, Any] = {
        "path": "a/1.jpg",
        "label": "MEL",
        "group": "L1",
        "split": Split.train,
        "width_px": 4,
        "height_px": 3,
        "size_bytes": 9,
        "sha256": "0" * 64,
    }
    return ImageRecord.model_validate(fields | changes)


def dataset(*images: ImageRecord, root: str = "/images") -> DatasetManifest:
    return DatasetManifest(
        root=root,
        layout="folder",
        labels=ISIC_2019,
        seed=0,
        fractions=(0.7, 0.15, 0.15),
        images=images,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/etc/passwd"},
        {"path": "a/../../b.jpg"},
        {"sha256": "0" * 63},
        {"sha256": "G" * 64},
        {"width_px": 0},
        {"split": "holdout"},
    ],
)
def test_an_image_record_that_cannot_be_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        record(**changes)


def test_a_dataset_answers_by_split_and_finds_its_files() -> None:
    images = (record(), record(path="b.jpg", group="L2", split=Split.test))
    found = dataset(*images)
    assert found.of(Split.train) == images[:1]
    assert found.of(Split.validation) == ()
    assert found.file(images[1]) == Path("/images/b.jpg")


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"path": "b.jpg", "split": Split.test}, "in two splits"),
        ({}, "listed twice"),
        ({"path": "b.jpg", "label": "WART"}, "unknown label"),
    ],
)
def test_a_dataset_that_contradicts_itself_is_refused(other: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        dataset(record(), record(**other))


def test_a_dataset_needs_images() -> None:
    with pytest.raises(ValidationError):
        dataset()


def test_the_digest_of_a_dataset_does_not_depend_on_where_it_is() -> None:
    assert dataset(record()).digest() == dataset(record(), root="/elsewhere").digest()
    assert dataset(record()).digest() != dataset(record(label="NV")).digest()


def test_every_contract_value_refuses_unknown_fields() -> None:
    pending = list(Frozen.__subclasses__())
    assert pending
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        assert kind.model_config["extra"] == "forbid"
        assert kind.model_config["frozen"]


def test_of_several_recipes_int8_alone_takes_what_only_it_has() -> None:
    kinds = (Quantize.float16, Quantize.int8)
    float16, int8 = recipes_of(kinds, io=Io.int8, repair=Repair.max, representative_count=7)
    assert (float16.quantize, float16.io, float16.repair) == (
        Quantize.float16,
        Io.float32,
        Repair.auto,
    )
    assert (int8.io, int8.repair, int8.representative_count) == (Io.int8, Repair.max, 7)
    assert [one.name for one in recipes_of(kinds)] == ["float16", "int8-uint8"]
    with pytest.raises(ValidationError):
        recipes_of((Quantize.float16, Quantize.dynamic), io=Io.uint8)
