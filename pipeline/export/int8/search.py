"""Search for the smallest, fastest int8 file that stays faithful to the float model.

Child process only: imports LiteRT and litert-quantizer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.contract.choices import Io, Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.ladder import Ladder, Rung
from pipeline.export.int8.attempt import Workshop
from pipeline.export.int8.measure import (
    MAX_MEAN_DIFFERENCE,
    MIN_AGREEMENT,
    RepairSet,
    labelled_figures,
    measure,
)
from pipeline.export.int8.mixed_precision import by_sensitivity
from pipeline.progress import Report

_CLIMB = (Step.ranges, Step.bias_correction, Step.rounding, Step.equalization)
# How many of the most sensitive layers are left in floats, one try after another.
_FLOAT16_LAYERS = (2, 4, 8)


@dataclass(frozen=True)
class Found:
    """Hold the chosen file, the steps that make it, and everything that was tried."""

    data: bytes
    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...]
    ladder: Ladder


@dataclass(frozen=True)
class _Try:
    rung: Rung
    data: bytes


def search(
    workshop: Workshop,
    repair_set: RepairSet,
    image: ImageContract,
    io: Io,
    repair: Repair,
    report: Report,
) -> Found:
    """Try steps in order of cost, each on top of those before it.

    `auto` stops at the first file that passes; `max` tries every step but leaves layers in floats
    only if nothing else passes. Equalization stays only if it lowers the error. Where nothing
    passes, the file of least error is returned, for the gate to judge; layers stay in floats then
    only if that halves the error.
    """
    tried: list[_Try] = []

    def attempt(steps: tuple[Step, ...], float16: tuple[str, ...] = ()) -> _Try:
        graph = workshop.attempt(steps, float16)
        data = workshop.finish(graph)
        rung = measure(
            graph,
            repair_set,
            image,
            io,
            steps=steps,
            float16_layers=float16,
            size_bytes=len(data),
            report=report,
        )
        tried.append(_Try(rung, data))
        return tried[-1]

    for steps in _rungs():
        if attempt(steps).rung.passed and repair is Repair.auto:
            break
    if not any(one.rung.passed for one in tried):
        corrected = [one for one in tried if Step.bias_correction in one.rung.steps]
        steps = (*_best(corrected).rung.steps, Step.mixed_precision)
        ranked = by_sensitivity(workshop, repair_set, image, io, report)
        for count in _FLOAT16_LAYERS:
            layers = tuple(sorted(name for name, _ in ranked[:count]))
            if count <= len(ranked) and attempt(steps, layers).rung.passed:
                break
    chosen = _best([one for one in tried if one.rung.passed] or _failing(tried))
    balanced, recall = labelled_figures(repair_set.reference, repair_set)
    ladder = Ladder(
        rungs=tuple(one.rung.model_copy(update={"chosen": one is chosen}) for one in tried),
        float_balanced_accuracy=balanced,
        float_critical_recall=recall,
        min_agreement=MIN_AGREEMENT,
        max_mean_difference=MAX_MEAN_DIFFERENCE,
    )
    return Found(chosen.data, chosen.rung.steps, chosen.rung.float16_layers, ladder)


def _rungs() -> Iterator[tuple[Step, ...]]:
    for count in range(len(_CLIMB) + 1):
        yield _CLIMB[:count]


def _failing(tried: list[_Try]) -> list[_Try]:
    """Return what to choose from where nothing passed: layers in floats must halve the error."""
    eight_bits = [one for one in tried if not one.rung.float16_layers]
    enough = _best(eight_bits).rung.mean_difference / 2
    mixed = [one for one in tried if one.rung.float16_layers]
    return [one for one in mixed if one.rung.mean_difference <= enough] or eight_bits


def _best(tried: list[_Try]) -> _Try:
    return min(tried, key=lambda one: one.rung.mean_difference)
