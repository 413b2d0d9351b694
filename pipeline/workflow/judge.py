"""Judge a finished file in every gate: the one function behind export, parity, run and CI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pipeline.child import LITERT, ask_child
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.files import resolved
from pipeline.contract.images import ImageSet, images_of_dataset
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Check, Verdict
from pipeline.parity.figures import common_figures, origin
from pipeline.parity.judge import judge_recordings
from pipeline.parity.reference import OtherConvention, reference_checks
from pipeline.parity.structure import Structure, structure_of_bundle, structure_of_file
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import RecordRequest, conventions_of, record
from pipeline.runtimes.delegation import Delegation, DelegationRequest
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import Inspection
from pipeline.tflite.metadata import DescribedModel
from pipeline.workflow.keras_model import KerasModel
from pipeline.workflow.noise import own_noise, works_in_8_bits
from pipeline.workflow.source import KerasSource
from pipeline.workflow.spread import runtime_spread

# Raise it when the gates change what they accept: a verdict of other gates is not found again.
GATE_REVISION = 4


@dataclass(frozen=True)
class Candidate:
    """Hold a finished file: what it says of itself and, in a bundle, what its manifest says."""

    file: Path
    inspection: Inspection
    described: DescribedModel
    manifest: BundleManifest | None


def judge(
    candidate: Candidate,
    reference: KerasSource,
    thresholds: Thresholds,
    run: RunDir,
    *,
    critical: tuple[str, ...],
    inputs: dict[str, str],
    held: HeldReference | None = None,
    fresh: bool = False,
    report: Report = silent,
) -> Verdict:
    """Run the reference, structure, numbers and task gates on the validation split.

    A file that fails its structure is never asked for answers.

    Args:
        candidate: what is judged.
        reference: the Keras model, and the dataset.
        thresholds: the limits.
        run: keeps recordings and logs.
        critical: the labels whose recall is gated one by one.
        inputs: digests of everything the candidate was made from and is judged by.
        held: the reference, already held to the labels under these thresholds; None asks it.
        fresh: record anew what was recorded before.
        report: receives progress.

    Raises:
        BadInput: a file or an image is refused, or they do not belong together.
        EnvironmentProblem: a runtime could not run.
    """
    images = images_of_dataset(reference.dataset, Split.validation)
    return judge_images(
        candidate,
        images,
        lambda: held or hold_reference(reference, images, thresholds, run, fresh, report),
        thresholds,
        run,
        noise_of=reference,
        critical=critical,
        inputs=inputs,
        figures={
            "input_convention": reference.normalization.words(),
            "adaptations": [str(one) for one in reference.adaptations],
        },
        fresh=fresh,
        report=report,
    )


def judge_images(
    candidate: Candidate,
    images: ImageSet,
    hold: Callable[[], HeldReference],
    thresholds: Thresholds,
    run: RunDir,
    *,
    noise_of: KerasModel | None,
    critical: tuple[str, ...],
    inputs: dict[str, str],
    figures: dict[str, Any],
    fresh: bool = False,
    report: Report = silent,
) -> Verdict:
    """Judge a file on any images, against what `hold` returns; see `judge`.

    `hold` is asked only where the structure is right. `noise_of` is the model whose own noise on
    these images a file of 8 bits is held beside; where it is None none is measured, and none
    excuses anything. `figures` are added to the verdict's.
    """
    structure = structure_gate(candidate, log=_delegation_log(candidate, run))
    verdict = Verdict.from_checks(
        structure.checks, candidate={"model_sha256": candidate.inspection.sha256}
    )
    recordings: dict[str, Any] = {}
    not_checked = [*structure.not_checked]
    if verdict.passed:
        held = hold()
        answered = record(candidate_request(candidate, images), run, fresh=fresh, report=report)
        in_8_bits = works_in_8_bits(candidate.inspection)
        noise = None
        if noise_of is not None and in_8_bits:
            noise = own_noise(noise_of, images, run, report=report)
        verdict = judge_recordings(
            held.recording,
            answered.recording,
            thresholds,
            critical=critical,
            unlabelled=images.unlabelled and bool((held.recording.truth < 0).all()),
            noise=noise,
            before=(*held.checks, *structure.checks),
        )
        not_checked += held.not_checked
        recordings = {
            "recordings": {
                "reference": held.origin,
                "candidate": answered.origin,
            }
        }
        if in_8_bits:
            recordings["runtime_spread"] = runtime_spread(
                answered.recording,
                candidate.file,
                candidate.described.image,
                candidate.described.labels,
                images,
                run,
                report=report,
            )
    return verdict.model_copy(
        update={
            "inputs": {**inputs, "gates": str(GATE_REVISION)},
            "figures": {**verdict.figures, "not_checked": not_checked, **figures, **recordings},
        }
    )


@dataclass(frozen=True)
class HeldReference:
    """Hold the reference's recording, and the checks that hold it to the labels.

    `origin` says where the recording comes from: made now, found in the run, or the bundle's own.
    `not_checked` names the checks of the reference gate that were not asked.
    """

    recording: Recording
    checks: tuple[Check, ...]
    origin: Literal["made", "found", "bundle"]
    not_checked: tuple[str, ...] = ()

    def verdict(self) -> Verdict:
        """Return the verdict of the reference gate alone."""
        return Verdict.from_checks(
            self.checks,
            reference=origin(self.recording),
            figures=common_figures(self.recording.facts, self.recording.facts),
        )


def candidate_request(candidate: Candidate, images: ImageSet) -> RecordRequest:
    """Return what LiteRT is asked about images."""
    return RecordRequest(
        runtime=RuntimeName.litert,
        model=candidate.file,
        model_sha256=candidate.inspection.sha256,
        image=candidate.described.image,
        labels=candidate.described.labels,
        images=images,
    )


def reference_request(reference: KerasModel, images: ImageSet) -> RecordRequest:
    """Return what Keras is asked about images, under other conventions too."""
    return reference.record_request(images, probe_normalizations=reference.normalization.others())


def hold_reference(
    reference: KerasModel,
    images: ImageSet,
    thresholds: Thresholds,
    run: RunDir,
    fresh: bool = False,
    report: Report = silent,
) -> HeldReference:
    """Ask the Keras model about images, and hold its answers to the labels.

    It is asked under the stated input convention and, on a part of the images, under each known
    other one and with red and blue swapped. What was recorded before is found again, unless
    `fresh`.

    Raises:
        BadInput: the model or an image is refused.
        EnvironmentProblem: Keras could not run.
    """
    stated, request = reference.normalization, reference_request(reference, images)
    recorded = record(request, run, fresh=fresh, report=report)
    conventions = conventions_of(request, run, recorded.recording)
    rows = np.array(conventions.rows, np.int64)
    others = [
        OtherConvention(one.normalization, rows, np.array(one.classes, np.int64))
        for one in conventions.chosen
    ]
    checks = reference_checks(recorded.recording, stated, others, thresholds)
    return HeldReference(recorded.recording, tuple(checks), recorded.origin)


def structure_gate(candidate: Candidate, *, log: Path | None = None) -> Structure:
    """Compare a finished file with its manifest, or with its own metadata where it has none.

    Raises:
        EnvironmentProblem: LiteRT, which delegates the graph, could not run.
    """
    if candidate.manifest is None:
        described = candidate.described
        return structure_of_file(candidate.inspection, described.image, described.labels)
    delegation = ask_child(
        "pipeline.runtimes.delegation:delegation_child",
        DelegationRequest(model=resolved(candidate.file)),
        Delegation,
        log=log,
        blamed=candidate.file,
        process=LITERT,
    )
    return structure_of_bundle(candidate.inspection, candidate.manifest, delegation)


def _delegation_log(candidate: Candidate, run: RunDir) -> Path | None:
    manifest = candidate.manifest
    return None if manifest is None else run.log(f"delegation-{manifest.recipe.name}")
