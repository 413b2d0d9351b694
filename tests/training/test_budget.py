"""Schedules that fit a number of minutes, without TensorFlow."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.errors import BadInput
from pipeline.training.budget import (
    MARGIN,
    MAX_MEMBERS,
    Speed,
    Work,
    choose,
    expected_s,
    schedules,
    views,
)
from pipeline.training.request import Settings, TrainRequest

WORK = Work(train_images=1000, validation_images=200, images=1400, steps=32, possible_views=8)
SPEED = Speed(
    start_s=5.0,
    step_s=0.5,
    head_step_s=0.01,
    image_s=0.01,
    validation_image_s=0.005,
    spent_s=20.0,
)
TRANSFER = TrainRequest().settings()
SEED = TrainRequest(recipe="seed").settings()


def test_the_expected_seconds_are_the_sum_of_the_work() -> None:
    settings = TRANSFER.model_copy(
        update={"epochs": 4, "members": 2, "head_epochs": 10, "cached_images": 3000}
    )
    assert views(settings, WORK) == 3
    finetuning = 2 * (5.0 + 4 * (32 * 0.5 + 200 * 0.005))
    features = (3 * 1000 + 200) * 0.01
    assert expected_s(settings, SPEED, WORK) == pytest.approx(
        20.0 + finetuning + features + 10 * 32 * 0.01 + 1400 * 0.01
    )
    whole = SEED.model_copy(update={"epochs": 4})
    assert expected_s(whole, SPEED, WORK) == pytest.approx(
        20.0 + 5.0 + 4 * (32 * 0.5 + 200 * 0.005) + 1400 * 0.01
    )


def test_distilling_counts_its_answers_and_its_epochs() -> None:
    plain = TRANSFER.model_copy(update={"distil_epochs": 0, "cached_images": 3000})
    taught = plain.model_copy(update={"distil_epochs": 6, "distil_sets": 2})
    more = expected_s(taught, SPEED, WORK) - expected_s(plain, SPEED, WORK)
    assert more == pytest.approx(2 * 3 * 1000 * 0.005 + 5.0 + 6 * (32 * 0.5 + 200 * 0.005))


@pytest.mark.parametrize(
    "settings", [TRANSFER, TRANSFER.model_copy(update={"distil_epochs": 6}), SEED]
)
def test_schedules_grow_to_the_recipe_and_beyond_it_only_in_members(settings: Settings) -> None:
    found = list(schedules(settings, WORK))
    seconds = [expected_s(one, SPEED, WORK) for one in found]
    assert seconds == sorted(seconds)
    assert len(set(seconds)) == len(seconds)
    assert max(one.epochs for one in found) == settings.epochs
    assert found[-1].members == (1 if settings is SEED else MAX_MEMBERS)


@given(minutes=st.floats(min_value=0.01, max_value=300.0), recipe=st.sampled_from([TRANSFER, SEED]))
def test_the_longest_schedule_that_fits_is_chosen(minutes: float, recipe: Settings) -> None:
    fits = [
        one
        for one in schedules(recipe, WORK)
        if MARGIN * expected_s(one, SPEED, WORK) <= 60.0 * minutes
    ]
    if fits:
        chosen = choose(minutes, recipe, SPEED, WORK)
        assert chosen.settings == fits[-1]
        assert chosen.expected_minutes <= minutes
    else:
        with pytest.raises(BadInput, match="not even the shortest") as caught:
            choose(minutes, recipe, SPEED, WORK)
        assert "minutes" in str(caught.value.expected)


def test_a_budget_and_epochs_are_not_both_taken() -> None:
    assert TrainRequest(budget_minutes=5.0).budget_minutes == 5.0
    with pytest.raises(ValidationError, match="not both"):
        TrainRequest(budget_minutes=5.0, epochs=3)
    for wrong in (0.0, -1.0, float("nan")):
        with pytest.raises(ValidationError):
            TrainRequest(budget_minutes=wrong)
