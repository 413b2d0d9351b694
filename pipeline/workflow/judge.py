"""Judge a finished file in every gate: the one function behind export, parity, run and CI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.child import ask_child
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.normalization import Normalization, NormalizationName
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
from pipeline.workflow.noise import own_noise, works_in_8_bits
from pipeline.workflow.source import KerasSource
from pipeline.workflow.spread import runtime_spread

# Raise it when the gates change what they accept: a verdict of other gates is not found again.
GATE_REVISION = 3


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
        report: receives progress.

    Raises:
        BadInput: a file or an image is refused, or they do not belong together.
        EnvironmentProblem: a runtime could not run.
    """
    structure = _structure(candidate, run)
    verdict = Verdict.from_checks(
        structure.checks, candidate={"model_sha256": candidate.inspection.sha256}
    )
    if verdict.passed:
        if held is None:
            held = hold_reference(reference, thresholds, run, report=report)
        candidate_recording, _ = record(
            RecordRequest(
                runtime=RuntimeName.litert,
                model=candidate.file,
                model_sha256=candidate.inspection.sha256,
                image=candidate.described.image,
                labels=candidate.described.labels,
                dataset=reference.dataset,
                split=Split.validation,
            ),
            run,
            report=report,
        )
        noise = None
        if works_in_8_bits(candidate.inspection):
            noise = own_noise(reference, run, report=report)
        verdict = judge_recordings(
            held.recording,
            candidate_recording,
            thresholds,
            critical=critical,
            unlabelled=reference.dataset.unlabelled,
            noise=noise,
            before=(*held.checks, *structure.checks),
        )
        if works_in_8_bits(candidate.inspection):
            spread = runtime_spread(
                candidate_recording,
                candidate.file,
                candidate.described.image,
                candidate.described.labels,
                reference.dataset,
                run,
                report=report,
            )
            verdict = verdict.model_copy(
                update={"figures": {**verdict.figures, "runtime_spread": spread}}
            )
    figures = {
        **verdict.figures,
        "not_checked": list(structure.not_checked),
        "input_convention": reference.normalization.words(),
        "adaptations": [str(one) for one in reference.adaptations],
    }
    return verdict.model_copy(
        update={"inputs": {**inputs, "gates": str(GATE_REVISION)}, "figures": figures}
    )


@dataclass(frozen=True)
class HeldReference:
    """Hold the reference's recording, and the checks that hold it to the labels."""

    recording: Recording
    checks: tuple[Check, ...]

    def verdict(self) -> Verdict:
        """Return the verdict of the reference gate alone."""
        return Verdict.from_checks(
            self.checks,
            reference=origin(self.recording),
            figures=common_figures(self.recording.facts, self.recording.facts),
        )


def hold_reference(
    reference: KerasSource, thresholds: Thresholds, run: RunDir, *, report: Report = silent
) -> HeldReference:
    """Ask the Keras model on the validation split, and hold its answers to the labels.

    It is asked under the stated input convention and, on a part of the images, under each known
    other one. What was recorded before is found again.

    Raises:
        BadInput: the model or an image is refused.
        EnvironmentProblem: Keras could not run.
    """
    stated = reference.normalization
    request = reference.record_request(
        Split.validation,
        probe_normalizations=tuple(
            other for name in NormalizationName if (other := Normalization.named(name)) != stated
        ),
    )
    recording, _ = record(request, run, report=report)
    conventions = conventions_of(request, run, recording)
    rows = np.array(conventions.rows, np.int64)
    others = [
        OtherConvention(one.normalization, rows, np.array(one.classes, np.int64))
        for one in conventions.chosen
    ]
    checks = reference_checks(recording, stated, others, thresholds)
    return HeldReference(recording, tuple(checks))


def _structure(candidate: Candidate, run: RunDir) -> Structure:
    if candidate.manifest is None:
        described = candidate.described
        return structure_of_file(candidate.inspection, described.image, described.labels)
    delegation = ask_child(
        "pipeline.runtimes.delegation:delegation_child",
        DelegationRequest(model=candidate.file.resolve()),
        Delegation,
        log=run.log(f"delegation-{candidate.manifest.recipe.name}"),
    )
    return structure_of_bundle(candidate.inspection, candidate.manifest, delegation)
