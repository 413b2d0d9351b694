"""List the repair steps of int8, in order of cost: a new step is its file and a line here."""

from __future__ import annotations

from pipeline.contract.choices import Step
from pipeline.export.int8.steps import (
    bias_correction,
    equalization,
    mixed_precision,
    ranges,
    rounding,
)
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep

STEPS: dict[Step, RepairStep] = {
    step.name: step
    for step in (
        ranges.STEP,
        bias_correction.STEP,
        rounding.STEP,
        equalization.STEP,
        mixed_precision.STEP,
    )
}
if tuple(STEPS) != tuple(Step):
    raise TypeError(f"steps {list(STEPS)} are registered, and {list(Step)} are named")


def plan_of(steps: tuple[Step, ...], offered_layers: tuple[str, ...] = ()) -> BuildPlan:
    """Return the plan that `steps` make together.

    Args:
        steps: which steps, in any order.
        offered_layers: output tensors of the layers for mixed precision to leave in floats.
    """
    plan = BuildPlan(offered_layers=offered_layers)
    for name, step in STEPS.items():
        if name in steps:
            plan = step.apply(plan)
    return plan
