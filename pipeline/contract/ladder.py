"""Record what an int8 search tried, and what each try came to."""

from __future__ import annotations

from pydantic import Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Step


class Rung(Frozen):
    """Hold one file that a search made and measured on its repair set.

    `agreement` is the share of images on which it chooses the float model's class,
    `mean_difference` the mean over images of the largest difference in any class's probability.
    Accuracies are over the labelled images of the repair set. `latency_ms_p50` is on one thread
    of the machine that searched, so it alone is not the same every time. `passed` says whether
    the search would stop here.
    """

    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...] = ()
    agreement: float = Field(ge=0, le=1)
    mean_difference: float = Field(ge=0, le=1)
    balanced_accuracy: float | None
    critical_recall: dict[str, float]
    size_bytes: int = Field(ge=0)
    latency_ms_p50: float = Field(ge=0)
    passed: bool
    chosen: bool = False


class Ladder(Frozen):
    """Hold a whole search: its rungs in order, the float model's own figures, the images.

    `repair_sha256` are the training images it was measured on, besides blends of them.
    """

    rungs: tuple[Rung, ...] = ()
    float_balanced_accuracy: float | None = None
    float_critical_recall: dict[str, float] = Field(default_factory=dict)
    repair_sha256: tuple[str, ...] = ()
    min_agreement: float | None = None
    max_mean_difference: float | None = None
