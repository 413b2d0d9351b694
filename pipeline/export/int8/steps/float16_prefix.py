"""Leave everything up to the end of a block in floats, its weights in float16.

The rounding of the first activations runs through the whole network. Leaving the layers in floats
one here and one there changes little where residual sums between them stay in 8 bits; a run of
operators from the input on, sums included, costs one conversion and stays one piece for the
delegate. Which first layers to keep in floats is the question of Zhou et al. 2016, DoReFa-Net,
arXiv 1606.06160, section 2.7, which leaves the first one so.
"""

from __future__ import annotations

from dataclasses import replace

from pipeline.contract.choices import Step
from pipeline.export.int8.steps.interface import BuildPlan, RepairStep


def _apply(plan: BuildPlan) -> BuildPlan:
    return replace(plan, float16_layers=plan.offered_layers)


STEP = RepairStep(
    name=Step.float16_prefix,
    source="Zhou et al. 2016, DoReFa-Net, arXiv 1606.06160, section 2.7",
    apply=_apply,
    float16_block_counts=(1, 4, 12, 17),
)
