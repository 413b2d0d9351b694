"""Judge a finished file in every gate: the one function behind export, parity, run and CI."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.child import ask_child
from pipeline.contract.choices import RuntimeName, Split
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.contract.verdict import Verdict
from pipeline.parity.judge import judge_recordings
from pipeline.parity.structure import Structure, structure_of_bundle, structure_of_file
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import Report, silent
from pipeline.runtimes.ask import RecordRequest, record
from pipeline.runtimes.delegation import Delegation, DelegationRequest
from pipeline.tflite.inspect import Inspection
from pipeline.tflite.metadata import DescribedModel
from pipeline.workflow.source import KerasSource

# Raise it when the gates change what they accept: a verdict of other gates is not found again.
GATE_REVISION = 1


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
    report: Report = silent,
) -> Verdict:
    """Run the structure, numbers and task gates on the validation split.

    A file that fails its structure is never asked for answers.

    Args:
        candidate: what is judged.
        reference: the Keras model, and the dataset.
        thresholds: the limits.
        run: keeps recordings and logs.
        critical: the labels whose recall is gated one by one.
        inputs: digests of everything the candidate was made from and is judged by.
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
        recorded = [
            record(
                RecordRequest(
                    runtime=runtime,
                    model=file,
                    model_sha256=sha256,
                    image=described.image,
                    labels=described.labels,
                    dataset=reference.dataset,
                    split=Split.validation,
                ),
                run,
                report=report,
            )[0]
            for runtime, file, sha256, described in (
                (RuntimeName.keras, reference.path, reference.sha256, reference),
                (
                    RuntimeName.litert,
                    candidate.file,
                    candidate.inspection.sha256,
                    candidate.described,
                ),
            )
        ]
        verdict = judge_recordings(
            recorded[0], recorded[1], thresholds, critical=critical, structure=structure.checks
        )
    figures = {**verdict.figures, "not_checked": list(structure.not_checked)}
    return verdict.model_copy(
        update={"inputs": {**inputs, "gates": str(GATE_REVISION)}, "figures": figures}
    )


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
