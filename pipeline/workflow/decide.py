"""Choose an export's thresholds and unsure band on what its Keras model answers."""

from __future__ import annotations

from dataclasses import replace

from pipeline.contract.images import ImageSet
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput
from pipeline.parity.choosing import choose, with_file
from pipeline.progress import Report
from pipeline.runtimes.ask import record
from pipeline.workflow.export_job import ExportJob
from pipeline.workflow.judge import Candidate, candidate_request, reference_request


def decided(job: ExportJob, images: ImageSet, run: RunDir, report: Report) -> ExportJob:
    """Return the job with its decision chosen, where one is asked for.

    What Keras answers is recorded as the reference gate asks it, so it is asked once.

    Raises:
        BadInput: what is asked cannot be chosen on these images.
    """
    if not job.asked.asks_something:
        return job
    job.asked.check_labels(job.source.labels)
    job.asked.check(job.decision)
    if images.unlabelled:
        raise BadInput(
            "a decision is chosen on validation images with labels, and there is none",
            where=str(images.source),
            expected="images whose true class is known",
            next_step="state --threshold and --unsure-below instead",
        )
    found = record(reference_request(job.source, images), run, report=report).recording
    chosen = choose(found.truth, found.probabilities, job.source.labels.names, job.asked)
    return replace(job, decision=chosen.applied_to(job.decision), chosen=chosen)


def with_file_figures(
    manifest: BundleManifest, candidate: Candidate, images: ImageSet, run: RunDir, report: Report
) -> BundleManifest:
    """Return the manifest with what its chosen decision comes to by the file's own answers."""
    if manifest.chosen is None:
        return manifest
    found = record(candidate_request(candidate, images), run, report=report).recording
    names = manifest.labels.names
    chosen = with_file(manifest.chosen, found.truth, found.probabilities, names)
    return manifest.model_copy(update={"chosen": chosen})
