"""Each repair step is registered once, and its plan is what the builder follows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.contract.choices import Step
from pipeline.contract.recipe import Recipe
from pipeline.export.int8 import steps as package
from pipeline.export.int8.steps.bias_correction import correct_bias
from pipeline.export.int8.steps.dither import dither
from pipeline.export.int8.steps.equalization import equalize
from pipeline.export.int8.steps.interface import BuildPlan
from pipeline.export.int8.steps.logits import centre_logits, logits_range
from pipeline.export.int8.steps.ranges import best_range
from pipeline.export.int8.steps.registry import STEPS, describe, plan_of
from pipeline.export.int8.steps.rounding import round_layer
from pipeline.export.int8.value_range import min_max

NOT_STEPS = {"__init__", "interface", "registry"}


def test_the_registry_covers_the_names_in_their_order() -> None:
    assert list(STEPS) == list(Step)
    assert all(name is step.name for name, step in STEPS.items())


def test_every_step_is_a_file_of_its_own() -> None:
    (folder,) = map(Path, package.__path__)
    files = {path.stem for path in folder.glob("*.py")} - NOT_STEPS
    assert files == {step.name for step in Step}


def test_a_file_of_another_step_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from pipeline.export.int8.steps import ranges, rounding

    monkeypatch.setattr(rounding, "STEP", ranges.STEP)
    with pytest.raises(TypeError, match="does not describe rounding"):
        describe(Step.rounding)


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_every_step_names_its_source_and_says_something_else_than_its_name(step: object) -> None:
    registered = next(one for one in STEPS.values() if one is step)
    assert re.search(r"arXiv \d{4}\.\d{5}", registered.source)
    assert registered.title == registered.name.display_name
    assert len(registered.title.split()) >= 2
    assert registered.apply(BuildPlan(offered_layers=("a",))) != BuildPlan(offered_layers=("a",))


def test_a_step_comes_after_those_it_needs() -> None:
    order = list(Step)
    for step in Step:
        assert all(order.index(needed) < order.index(step) for needed in step.needs)
    assert Step.rounding.needs == (Step.bias_correction,)


def test_no_step_is_the_plain_plan() -> None:
    assert plan_of(()) == BuildPlan(choose_range=min_max, corrections=())


def test_weights_are_rounded_before_the_bias_makes_up_for_it_in_whatever_order_they_are_asked() -> (
    None
):
    for steps in (tuple(Step), tuple(reversed(Step))):
        plan = plan_of(steps, ("a", "b"))
        assert plan.corrections == (round_layer, correct_bias)
        # The copies are of channels that fill their bits already.
        assert plan.prepares == (equalize, centre_logits, dither)
        assert plan.single_ranges == (logits_range,)
        assert plan.choose_range is best_range
        assert plan.float16_layers == ("a", "b")


def test_only_steps_that_keep_floats_leave_offered_operators_in_floats() -> None:
    for step, registered in STEPS.items():
        kept = plan_of((Step.ranges, Step.bias_correction, step), ("a",)).float16_layers
        assert kept == (("a",) if step.keeps_floats else ())
        counts = registered.float16_layer_counts + registered.float16_block_counts
        assert bool(counts) == step.keeps_floats
        assert counts == tuple(sorted(set(counts)))


def test_what_a_search_builds_is_a_recipe() -> None:
    in_8_bits = tuple(step for step in Step if not step.keeps_floats)
    for count in range(2, len(in_8_bits) + 1):
        steps = in_8_bits[:count]
        assert Recipe(steps=steps).steps == steps
        for step in Step:
            if step.keeps_floats:
                mixed = (*steps, step)
                assert Recipe(steps=mixed, float16_layers=("a",)).steps == mixed
