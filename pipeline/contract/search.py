"""Record what an int8 search tried, and what each trial came to."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AliasChoices, Field

from pipeline.contract.base import Frozen
from pipeline.contract.choices import Step
from pipeline.contract.noise import NoiseFloor


class Trial(Frozen):
    """Hold one file that a search made and measured on its repair set.

    `agreement` is the share of images on which it chooses the float model's class,
    `mean_difference` the mean over images of the largest difference in any class's probability,
    `agreement_95` the agreement's 95% Wilson interval. Accuracies are over the labelled images of
    the repair set. `meets_target` says whether the search may stop here.

    Latencies are on one thread of the machine that searched, so they alone are not the same every
    time: a bundle's manifest holds None, its measured.json the figures (see
    `pipeline.contract.measured`). Only what may be chosen is timed: `latency_ms_p50` is its median,
    `latency_of_plain` and `latency_of_float16` are its share of plain int8's and of float16's,
    each measured in turn with it, image by image. None where it was not timed so.
    """

    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...] = ()
    agreement: float = Field(ge=0, le=1)
    agreement_95: tuple[float, float] | None = None
    mean_difference: float = Field(ge=0, le=1)
    balanced_accuracy: float | None
    critical_recall: dict[str, float]
    size_bytes: int = Field(ge=0)
    latency_ms_p50: float | None = Field(default=None, ge=0)
    latency_of_plain: float | None = Field(default=None, ge=0)
    latency_of_float16: float | None = Field(default=None, ge=0)
    # "passed" in the manifests of earlier releases.
    meets_target: bool = Field(validation_alias=AliasChoices("meets_target", "passed"))
    chosen: bool = False


class Stop(StrEnum):
    """Name why a search tried nothing more.

    met: a trial meets the target. gain: leaving one more block in floats gained too little.
    latency: another block in floats is too slow to be better than float16. exhausted: there was
    nothing left to try.
    """

    met = "met"
    gain = "gain"
    latency = "latency"
    exhausted = "exhausted"


class SearchRecord(Frozen):
    """Hold a whole search: its trials in order, the float model's own figures, the images.

    `repair_sha256` are the training images it was measured on, together with blends of them.
    `min_agreement` and `max_mean_difference` are the target of every trial. `noise` is the float
    model's own on the same images and blends, measured before anything was tried; None in the
    records of earlier releases. `stopped` says why no more was tried, `min_gain` and
    `max_latency_of_float16` are the limits that it means.
    """

    # "rungs" in the manifests of earlier releases.
    trials: tuple[Trial, ...] = Field(default=(), validation_alias=AliasChoices("trials", "rungs"))
    float_balanced_accuracy: float | None = None
    float_critical_recall: dict[str, float] = Field(default_factory=dict)
    repair_sha256: tuple[str, ...] = ()
    min_agreement: float | None = None
    max_mean_difference: float | None = None
    noise: NoiseFloor | None = None
    stopped: Stop | None = None
    min_gain: float | None = None
    max_latency_of_float16: float | None = None
