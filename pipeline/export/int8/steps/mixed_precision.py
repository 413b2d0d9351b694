"""Leave the layers whose 8 bits cost most in floats, their weights in float16.

Which layers those are is measured in `pipeline.export.int8.sensitivity`.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, float16_layers=plan.offered_layers)


STEP = RepairStep(
    name=Step.mixed_precision,
    source="Cai et al. 2020, ZeroQ, arXiv 2001.00281, section 3.3",
    apply=_apply,
    float16_layer_counts=(2, 4, 8),
)
