"""Ask TensorFlow once, in a child, and judge the answers here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.child import ask_child
from pipeline.contract.image import ImageContract
from pipeline.imaging.preprocess import load_resized_pixels
from pipeline.training.backbones import NAMES
from tests.training.questions import LaboratoryAnswer, LaboratoryRequest
from tests.training.samples import odd_images

DAMAGES = (
    "flipped_pixel",
    "flipped_length",
    "flipped_checksum",
    "flipped_origin",
    "cut",
    "emptied",
    "grown",
    "zeros",
    "another_shard",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return odd_images(tmp_path_factory.mktemp("odd"))


@pytest.fixture(scope="module")
def found(images: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("laboratory")
    return ask_child(
        "tests.training.laboratory:experiment",
        LaboratoryRequest(folder=folder, images=tuple(images.values())),
        LaboratoryAnswer,
        log=folder / "log.txt",
    ).found


def test_tensorflow_reads_every_odd_image_as_the_reference_does(
    found: dict[str, Any], images: dict[str, Path]
) -> None:
    answered = np.load(found["pixels"])
    worst = {
        name: int(np.abs(load_resized_pixels(path, ImageContract()).astype(int) - pixels).max())
        for (name, path), pixels in zip(images.items(), answered.astype(int), strict=True)
    }
    assert max(worst.values()) <= 1, worst


def test_an_image_that_is_not_the_listed_one_is_refused_by_name(
    found: dict[str, Any], images: dict[str, Path]
) -> None:
    refusal = found["changed"]["error"]
    assert refusal["kind"] == "bad_input"
    assert refusal["where"] == str(images["odd size"])
    assert not found["changed"]["cached"]


def test_augmentation_repeats_for_a_seed_and_stays_in_range(found: dict[str, Any]) -> None:
    facts = found["augment"]
    assert facts["repeats"]
    assert facts["differs"]
    assert facts["low"] >= 0.0
    assert facts["high"] <= 255.0


def test_rotation_turns_about_the_centre(found: dict[str, Any]) -> None:
    assert found["augment"]["still"] < 1e-3
    assert found["augment"]["quarter turn"] < 0.1


@pytest.mark.parametrize("decay", ["0.0", "0.05"])
def test_adam_steps_as_keras_does(found: dict[str, Any], decay: str) -> None:
    assert found["adam"][decay] < 1e-6


@pytest.fixture(params=NAMES)
def network(found: dict[str, Any], request: pytest.FixtureRequest) -> dict[str, Any]:
    facts: dict[str, Any] = found["networks"][request.param]
    return facts


def test_the_model_goes_from_image_to_probability_with_keras_layers_only(
    network: dict[str, Any],
) -> None:
    assert network["input"] == ["image", [None, 64, 64, 3]]
    assert network["output"] == ["probability", [None, 3]]
    assert network["layers"] == ["keras"]


def test_trunk_and_top_and_head_together_are_the_model(network: dict[str, Any]) -> None:
    assert network["top"] < 1e-6
    assert network["head"] < 1e-6
    assert network["answers"] == [2, 3]


def test_only_the_layers_after_the_trunk_are_fine_tuned(network: dict[str, Any]) -> None:
    trained = network["trained"]
    # Keras lists weights from the input on: what is trained is the end of the list.
    assert trained == network["all"][-len(trained) :]
    assert len(trained) < len(network["all"])
    assert any(path.endswith("gamma") for path in trained)
    assert trained[-1] == "probability/bias"


def test_the_trunk_is_small_enough_to_cache(network: dict[str, Any]) -> None:
    _, rows, columns, features = network["trunk"]
    assert rows * columns * features <= 64 * 64 * 3


def test_frozen_statistics_do_not_move_in_training(network: dict[str, Any]) -> None:
    *statistics, dropout = network["frozen"]
    assert all(statistics)
    assert not dropout  # the generator's state


def test_a_saved_model_has_the_same_bytes_each_time_and_loads_safely(
    network: dict[str, Any],
) -> None:
    assert network["same bytes"]
    assert network["left over"] == ["model.keras"]
    assert network["loaded"] == 0.0


@pytest.mark.parametrize("name", ["other width", "text"])
def test_weights_that_do_not_fit_are_refused(found: dict[str, Any], name: str) -> None:
    refusal = found["refusals"][name]
    assert refusal["kind"] == "bad_input"
    assert refusal["where"].endswith(".weights.h5")


def test_a_failed_download_says_to_give_a_file(found: dict[str, Any]) -> None:
    refusal = found["refusals"]["download"]
    assert refusal["kind"] == "environment"
    assert "--weights PATH" in refusal["next_step"]


def test_a_folder_that_cannot_be_written_is_an_environment_problem(found: dict[str, Any]) -> None:
    refusal = found["refusals"]["unwritable"]
    assert refusal["kind"] == "environment"
    assert refusal["where"].endswith("state")
    assert "resumes" in refusal["next_step"]


def test_a_resumed_training_equals_an_undisturbed_one(found: dict[str, Any]) -> None:
    undisturbed, resumed = found["resume"]["histories"]
    assert found["resume"]["left"] == 4  # the start and three whole epochs
    assert [e["epoch"] for e in resumed] == list(range(7))
    for one, other in zip(undisturbed, resumed, strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_the_history_is_kept_as_csv(found: dict[str, Any]) -> None:
    lines = found["resume"]["csv"].splitlines()
    assert lines[0].startswith("phase,epoch,loss,accuracy,val_loss")
    assert len(lines) == 8


def test_the_state_of_other_inputs_is_thrown_away(found: dict[str, Any]) -> None:
    assert found["resume"]["other"] == 0


def test_a_diverged_training_says_so(found: dict[str, Any]) -> None:
    assert found["diverge"]["kind"] == "bad_input"
    assert "diverged" in found["diverge"]["what"]
    assert "learning rate" in found["diverge"]["next_step"]


def test_the_momentum_is_set_in_nested_layers_too(found: dict[str, Any]) -> None:
    assert found["momentum"] == [0.5, 0.5]


def test_class_weights_have_mean_one_and_follow_the_power(found: dict[str, Any]) -> None:
    weights = found["weights"]
    assert np.mean(weights) == pytest.approx(1.0)
    assert weights[4] / weights[0] == pytest.approx(2.0)


@pytest.fixture
def shards(found: dict[str, Any]) -> dict[str, Any]:
    facts: dict[str, Any] = found["shards"]
    return facts


def test_images_are_decoded_once_into_shards_of_bounded_size(shards: dict[str, Any]) -> None:
    assert shards["names"] == [f"train-pixels-{n:05d}-of-00009.tfrecord" for n in range(9)]
    assert shards["decoded"] == list(range(1, 43))
    assert shards["shape"] == [42, 64, 64, 3]


def test_shards_are_read_as_one_array_is(shards: dict[str, Any]) -> None:
    assert shards["read"] == dict.fromkeys(shards["read"], True)
    assert len(shards["read"]) == 12
    assert shards["refused"] == ["42", "-43", "0.5", "two rows", "flags"]


def test_training_is_fed_the_same_batches_from_shards_as_from_an_array(
    shards: dict[str, Any],
) -> None:
    assert shards["batches"]


def test_shards_are_plain_tfrecord_files(shards: dict[str, Any]) -> None:
    assert shards["records"]


@pytest.mark.parametrize("damage", DAMAGES)
def test_only_a_damaged_shard_is_made_again_and_that_is_told(
    shards: dict[str, Any], damage: str
) -> None:
    facts = shards["damage"][damage]
    assert facts["changed"]
    assert facts["told"] == ["make train-pixels-00003-of-00009.tfrecord again"]
    assert facts["again"] == [3]
    assert facts["decoded"] == [38, 39, 40, 41, 42]
    assert facts["same"]


def test_a_shard_that_changes_under_its_reader_is_named(shards: dict[str, Any]) -> None:
    for refusal in shards["while reading"].values():
        assert refusal["kind"] == "environment"
        assert refusal["where"].endswith("train-pixels-00001-of-00009.tfrecord")


def test_a_caching_that_was_cut_short_goes_on_after_its_last_whole_shard(
    shards: dict[str, Any],
) -> None:
    facts = shards["cut short"]
    assert facts["left"] == [f"train-pixels-{n:05d}-of-00009.tfrecord" for n in range(2)]
    assert facts["decoded"] == list(range(11, 43))
    assert not facts["told"]
    assert facts["same"]


def test_shards_of_other_images_are_not_read(shards: dict[str, Any]) -> None:
    assert shards["other images"]


def test_a_disk_without_room_is_named_before_an_image_is_decoded(shards: dict[str, Any]) -> None:
    refusal = shards["no room"]
    assert refusal["kind"] == "environment"
    assert "no room" in refusal["what"]
    assert refusal["got"] == "0 MB"


def test_space_that_the_system_refuses_ends_in_an_error_and_leaves_no_half_shard(
    shards: dict[str, Any],
) -> None:
    assert shards["limit"]["kind"] == "OSError"
    assert "larger than this process may write" in shards["limit"]["what"]
    assert shards["limit"]["left"] == shards["names"][1:]


def test_the_members_of_a_fine_tuning_are_averaged(found: dict[str, Any]) -> None:
    facts = found["transfer"]
    assert facts["phases"] == ["finetune", "finetune-2", "head"]
    assert facts["places"] == 4
    assert facts["apart"] > 1e-5
    assert facts["off the mean"] < 1e-6
    assert facts["resumed"] < 1e-6


def test_mixup_mixes_targets_in_pairs_the_same_way_for_the_same_epoch(
    found: dict[str, Any],
) -> None:
    facts = found["transfer"]
    total, low, high = facts["targets"]
    assert total == pytest.approx(24.0, abs=1e-3)
    assert low >= 0.0
    assert high <= 1.0 + 1e-6
    assert facts["mixed"] > 0
    assert facts["repeats"]
    assert facts["differs"]
    assert facts["steps"] == [4, 4, 4]


def test_measuring_the_speed_leaves_the_model_and_the_journal_as_they_were(
    found: dict[str, Any],
) -> None:
    speed = found["speed"]
    assert speed["start_s"] > speed["step_s"] > 0.0
    assert speed["untouched"]
    assert not speed["written"]


def test_the_views_mean_answers_to_mixed_pairs_are_taught(found: dict[str, Any]) -> None:
    facts = found["transfer"]
    assert facts["distilled"] == [0, 1, 2]
    shape, off_one = facts["taught"]
    assert shape == [2, 24, 2]
    assert off_one < 1e-5
    assert facts["mix"] < 1e-6
