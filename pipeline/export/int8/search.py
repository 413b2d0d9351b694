"""Search for the smallest, fastest int8 file that stays faithful to the float model.

Child process only: imports LiteRT and litert-quantizer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from pipeline.contract.choices import Io, Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.search import SearchRecord, Trial
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.measure import (
    MAX_MEAN_DIFFERENCE,
    MIN_AGREEMENT,
    RepairSet,
    labelled_figures,
    measure,
)
from pipeline.export.int8.sensitivity import by_sensitivity
from pipeline.export.int8.steps.registry import STEPS
from pipeline.progress import Report

StopRule = Callable[[Trial], bool]


@dataclass(frozen=True)
class Schedule:
    """Say what a search tries, in order.

    combinations: steps that keep every layer in 8 bits. float16_layer_counts: by a step that
    leaves layers in floats, how many of the most sensitive ones, on top of the best combination
    that corrects biases; only where no combination meets the target.
    """

    combinations: tuple[tuple[Step, ...], ...]
    float16_layer_counts: dict[Step, tuple[int, ...]]


def schedule() -> Schedule:
    """Return the schedule of the registered steps: each on top of all those before it."""
    in_8_bits = tuple(name for name, step in STEPS.items() if not step.float16_layer_counts)
    return Schedule(
        combinations=tuple(in_8_bits[:count] for count in range(len(in_8_bits) + 1)),
        float16_layer_counts={
            name: step.float16_layer_counts
            for name, step in STEPS.items()
            if step.float16_layer_counts
        },
    )


def stop_rule(repair: Repair) -> StopRule:
    """Return what says after a trial whether the combinations that follow are left out."""
    match repair:
        case Repair.auto:
            return lambda trial: trial.meets_target
        case Repair.max:
            return lambda _: False
        case Repair.none:
            raise ValueError("without repair nothing is searched")
        case _:
            assert_never(repair)


@dataclass(frozen=True)
class Found:
    """Hold the chosen file, the steps that make it, and everything that was tried."""

    data: bytes
    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...]
    record: SearchRecord


@dataclass(frozen=True)
class _Tried:
    trial: Trial
    data: bytes


def search(
    builder: Int8Builder,
    repair_set: RepairSet,
    image: ImageContract,
    io: Io,
    repair: Repair,
    report: Report,
) -> Found:
    """Try the schedule's combinations of steps in order and choose one file.

    `auto` stops at the first file that meets the target; `max` tries every combination. Layers
    are left in floats only if no combination meets the target. Of the files that do, the one of
    least error is chosen, so equalization stays only if it lowers the error. Where none does, the
    file of least error is returned, for the gate to judge; layers stay in floats then only if
    that halves the error.
    """
    tried: list[_Tried] = []
    planned, stop = schedule(), stop_rule(repair)

    def run_trial(steps: tuple[Step, ...], float16: tuple[str, ...] = ()) -> Trial:
        graph = builder.build(steps, float16)
        data = builder.finish(graph)
        trial = measure(
            graph,
            repair_set,
            image,
            io,
            steps=steps,
            float16_layers=float16,
            size_bytes=len(data),
            report=report,
        )
        tried.append(_Tried(trial, data))
        return trial

    for steps in planned.combinations:
        if stop(run_trial(steps)):
            break
    if not any(one.trial.meets_target for one in tried):
        corrected = [one for one in tried if Step.bias_correction in one.trial.steps]
        best = _best(corrected).trial.steps
        ranked = by_sensitivity(builder, repair_set, image, io, report)
        for step, counts in planned.float16_layer_counts.items():
            for count in counts:
                layers = tuple(sorted(name for name, _ in ranked[:count]))
                if count <= len(ranked) and run_trial((*best, step), layers).meets_target:
                    break
    chosen = _best([one for one in tried if one.trial.meets_target] or _off_target(tried))
    balanced, recall = labelled_figures(repair_set.reference, repair_set)
    record = SearchRecord(
        trials=tuple(one.trial.model_copy(update={"chosen": one is chosen}) for one in tried),
        float_balanced_accuracy=balanced,
        float_critical_recall=recall,
        min_agreement=MIN_AGREEMENT,
        max_mean_difference=MAX_MEAN_DIFFERENCE,
        noise=repair_set.noise,
    )
    return Found(chosen.data, chosen.trial.steps, chosen.trial.float16_layers, record)


def _off_target(tried: list[_Tried]) -> list[_Tried]:
    """Return what to choose from where no file meets the target."""
    eight_bits = [one for one in tried if not one.trial.float16_layers]
    enough = _best(eight_bits).trial.mean_difference / 2
    mixed = [one for one in tried if one.trial.float16_layers]
    return [one for one in mixed if one.trial.mean_difference <= enough] or eight_bits


def _best(tried: list[_Tried]) -> _Tried:
    return min(tried, key=lambda one: one.trial.mean_difference)
