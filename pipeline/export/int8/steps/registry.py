"""Find the repair steps of int8.

`Step` is the list, in order of cost: each member is the file of this folder that has the member's
name, as `STEP`.
"""

from __future__ import annotations

from importlib import import_module

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep


def describe(name: Step) -> RepairStep:
    """Return what a step does.

    Raises:
        TypeError: the file of that name is of another step.
    """
    step = import_module(f"{__package__}.{name.name}").STEP
    if not isinstance(step, RepairStep) or step.name is not name:
        raise TypeError(f"pipeline/export/int8/steps/{name.name}.py does not describe {name}")
    return step


STEPS: dict[Step, RepairStep] = {name: describe(name) for name in Step}


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
