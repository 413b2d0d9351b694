"""Search for the smallest, fastest int8 file that stays faithful to the float model.

Child process only: imports LiteRT and litert-quantizer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.contract.choices import Io, Repair, Step
from pipeline.contract.image import ImageContract
from pipeline.contract.search import SearchRecord, Stop, Trial
from pipeline.export.int8.blocks import leading_blocks
from pipeline.export.int8.builder import Int8Builder
from pipeline.export.int8.latency import Latencies, latencies
from pipeline.export.int8.measure import RepairSet, labelled_figures, measure
from pipeline.export.int8.sensitivity import by_sensitivity
from pipeline.export.int8.steps.registry import STEPS
from pipeline.progress import Report
from pipeline.tflite.flatbuffer import Model

# What one more block in floats must take off the error, or the search goes no further.
MIN_GAIN = 0.10
# Above this share of float16's latency float16 is the better file.
MAX_LATENCY_OF_FLOAT16 = 0.8


@dataclass(frozen=True)
class Found:
    """Hold the chosen file, the steps that make it, and everything that was tried."""

    data: bytes
    steps: tuple[Step, ...]
    float16_layers: tuple[str, ...]
    record: SearchRecord


@dataclass(frozen=True, eq=False)
class _Tried:
    """Hold a trial with its graph; `eligible` says that it may be chosen."""

    trial: Trial
    graph: Model
    data: bytes
    eligible: bool = True

    @property
    def error(self) -> float:
        return self.trial.mean_difference


def search(
    builder: Int8Builder,
    repair_set: RepairSet,
    image: ImageContract,
    io: Io,
    repair: Repair,
    report: Report,
) -> Found:
    """Try the registered steps, each on top of those that were kept, and choose one file.

    In 8 bits first: a step is kept where it lowers the error by its `min_gain`; `auto` stops at
    the first file that meets the target, `max` tries every step. Where none meets it, more and
    more of the first blocks stay in floats, until a file meets the target, one more block gains
    too little, or float16 itself would be nearly as fast; `max` goes on after a small gain, and
    then tries the most sensitive layers. Of the files in 8 bits that meet the target the one of
    least error is chosen, then the first with floats. Where none meets it, the file of least
    error, with floats only if they lower it by `MIN_GAIN`: the gate judges it.

    Raises:
        ValueError: nothing is to be repaired.
    """
    if repair is Repair.none:
        raise ValueError("without repair nothing is searched")
    session = _Session(builder, repair_set, image, io, report)
    base = _in_8_bits(session, repair)
    stopped = Stop.met
    if not session.met:
        stopped = _with_first_blocks(session, base, repair)
        if not session.met and repair is Repair.max:
            _with_sensitive_layers(session, _corrected(session, base))
    chosen = session.timed(_chosen(session.tried))
    balanced, recall = labelled_figures(repair_set.reference, repair_set)
    record = SearchRecord(
        trials=tuple(
            one.trial.model_copy(update={"chosen": one is chosen}) for one in session.tried
        ),
        float_balanced_accuracy=balanced,
        float_critical_recall=recall,
        min_agreement=repair_set.min_agreement,
        max_mean_difference=repair_set.max_mean_difference,
        noise=repair_set.noise,
        stopped=Stop.met if session.met else stopped,
        min_gain=MIN_GAIN,
        max_latency_of_float16=MAX_LATENCY_OF_FLOAT16,
    )
    return Found(chosen.data, chosen.trial.steps, chosen.trial.float16_layers, record)


class _Session:
    """Keep what was tried."""

    def __init__(
        self,
        builder: Int8Builder,
        repair_set: RepairSet,
        image: ImageContract,
        io: Io,
        report: Report,
    ) -> None:
        self.builder, self.tried = builder, list[_Tried]()
        self._set, self._image, self._io, self._report = repair_set, image, io, report

    @property
    def met(self) -> bool:
        """Return whether a file that may be chosen meets the target."""
        return any(one.eligible and one.trial.meets_target for one in self.tried)

    def run(self, steps: tuple[Step, ...], float16: tuple[str, ...] = ()) -> _Tried:
        """Build a file, measure it, and keep it."""
        graph = self.builder.build(steps, float16)
        data = self.builder.finish(graph)
        trial = measure(
            graph,
            self._set,
            self._image,
            self._io,
            steps=steps,
            float16_layers=float16,
            size_bytes=len(data),
            report=self._report,
        )
        self.tried.append(_Tried(trial, graph, data))
        return self.tried[-1]

    def timed(self, one: _Tried) -> _Tried:
        """Return a kept trial with its latency against plain int8 and float16."""
        if one.trial.latency_of_float16 is not None:
            return one
        found = self._latencies(one)
        plain = self.tried[0]
        if plain is not one and plain.trial.latency_ms_p50 is None:
            self._update(plain, latency_ms_p50=found.plain_ms)
        return self._update(
            one,
            latency_ms_p50=found.own_ms,
            latency_of_plain=found.of_plain,
            latency_of_float16=found.of_float16,
        )

    def ruled_out(self, one: _Tried) -> None:
        """Keep a trial in the record that may not be chosen."""
        place = self.tried.index(one)
        self.tried[place] = _Tried(one.trial, one.graph, one.data, eligible=False)

    def ranked(self) -> list[str]:
        """Return the layers, most sensitive first."""
        ranked = by_sensitivity(self.builder, self._set, self._image, self._io, self._report)
        return [name for name, _ in ranked]

    def _latencies(self, one: _Tried) -> Latencies:
        return latencies(
            one.graph,
            self.tried[0].graph,
            self.builder.float_model,
            self._set.pixels,
            self._image,
            self._io,
        )

    def _update(self, one: _Tried, **changes: float) -> _Tried:
        place = self.tried.index(one)
        trial = one.trial.model_copy(update=changes)
        self.tried[place] = _Tried(trial, one.graph, one.data, one.eligible)
        return self.tried[place]


def _in_8_bits(session: _Session, repair: Repair) -> _Tried:
    """Try the steps that keep everything in 8 bits; return the file of those that were kept."""
    kept, waiting = session.run(()), tuple[Step, ...]()
    for name, step in STEPS.items():
        if name.keeps_floats or not step.applies(session.builder.float_model):
            continue
        if not {*step.needs} <= {*kept.trial.steps, *waiting}:
            continue
        if repair is Repair.auto and session.met:
            break
        waiting += (name,)
        if step.alone:
            found = session.run((*kept.trial.steps, *waiting))
            if found.error < (1 - step.min_gain) * kept.error:
                kept = found
            waiting = ()
    return kept


def _with_first_blocks(session: _Session, base: _Tried, repair: Repair) -> Stop:
    """Leave more and more of the first blocks in floats; return why no more of them."""
    last = base
    for steps, layers in _prefixes(session, _corrected(session, base)):
        found = session.timed(session.run(steps, layers))
        if (found.trial.latency_of_float16 or 0.0) > MAX_LATENCY_OF_FLOAT16:
            session.ruled_out(found)
            return Stop.latency
        if found.trial.meets_target:
            return Stop.met
        small = found.error > (1 - MIN_GAIN) * last.error
        # A first block is small; what it does not gain the next one may.
        if small and last is not base and repair is Repair.auto:
            return Stop.gain
        if not small:
            last = found
    return Stop.exhausted


def _prefixes(
    session: _Session, corrected: tuple[Step, ...]
) -> Iterator[tuple[tuple[Step, ...], tuple[str, ...]]]:
    blocks = leading_blocks(session.builder.float_model)
    for name, step in STEPS.items():
        for count in step.float16_block_counts:
            if count <= len(blocks):
                yield (*corrected, name), blocks[count - 1]


def _with_sensitive_layers(session: _Session, corrected: tuple[Step, ...]) -> None:
    """Leave the most sensitive layers in floats, more and more of them."""
    ranked = session.ranked()
    for name, step in STEPS.items():
        for count in step.float16_layer_counts:
            if count > len(ranked):
                return
            layers = tuple(sorted(ranked[:count]))
            found = session.timed(session.run((*corrected, name), layers))
            if (found.trial.latency_of_float16 or 0.0) > MAX_LATENCY_OF_FLOAT16:
                session.ruled_out(found)
                return
            if found.trial.meets_target:
                return


def _corrected(session: _Session, base: _Tried) -> tuple[Step, ...]:
    """Return the steps of a file, with those without which floats in it would be wasted."""
    needed = {
        name
        for name, step in STEPS.items()
        if step.with_floats and step.applies(session.builder.float_model)
    }
    # In floats the first convolution is not rounded, and copies of it do nothing.
    kept = needed | {*base.trial.steps} - {Step.dither}
    return tuple(step for step in Step if step in kept)


def _chosen(tried: Sequence[_Tried]) -> _Tried:
    whole = [one for one in tried if not one.trial.float16_layers]
    floats = [one for one in tried if one.trial.float16_layers and one.eligible]
    for group in (whole, floats):
        if met := [one for one in group if one.trial.meets_target]:
            return min(met, key=lambda one: one.error)
    best = min(whole, key=lambda one: one.error)
    better = [one for one in floats if one.error <= (1 - MIN_GAIN) * best.error]
    return min(better, key=lambda one: one.error, default=best)
