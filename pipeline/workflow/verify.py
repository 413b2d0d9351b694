"""Verify a published bundle from nothing but its own files: no run, no dataset, no TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import (
    GOLDENS_FILE,
    GOLDENS_FOLDER,
    LABELS_FILE,
    MANIFEST_FILE,
    MEASURED_FILE,
    MODEL_FILE,
    RECIPE_FILE,
    REFERENCE_FILE,
    VERDICT_FILE,
    no_bundle,
)
from pipeline.contract.files import MAX_CONFIG_BYTES, MAX_IMAGE_BYTES, read_regular
from pipeline.contract.goldens import Golden, Goldens
from pipeline.contract.hashing import sha256_file
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.measured import Measured
from pipeline.contract.recipe import Recipe
from pipeline.contract.strict_json import read_strict_json
from pipeline.contract.text_file import read_text
from pipeline.contract.verdict import Check, Gate, Outcome, Verdict
from pipeline.errors import BadInput, GateFailed, Inconclusive, PipelineError
from pipeline.export.golden_photos import GoldenPhoto
from pipeline.export.goldens import ask_goldens, golden_of
from pipeline.parity.bundle_files import file_checks, files_in, release_check
from pipeline.parity.bundle_pins import (
    BundleRecords,
    candidate_check,
    gates_check,
    golden_checks,
    inputs_check,
    label_check,
    pin_check,
    recipe_check,
)
from pipeline.parity.choosing import decision_check
from pipeline.parity.comparison import expect
from pipeline.parity.golden_gate import golden_recording, judge_goldens
from pipeline.parity.recorded import outcomes_check, passed_check, recorded_checks
from pipeline.report.sentences import sentence
from pipeline.runtimes.bundle_reference import load_reference
from pipeline.runtimes.interface import Answers
from pipeline.signing.signed import SIGNATURE_CHECK, SignatureState
from pipeline.tflite.inspect import Inspection, inspect_file
from pipeline.tflite.metadata import DescribedModel
from pipeline.workflow.judge import GATE_REVISION, Candidate, structure_gate
from pipeline.workflow.noise import works_in_8_bits

# A check of more than the bundle's own files, as of its signature; it runs after the hashes.
MoreChecks = Callable[[Path, BundleManifest], Sequence[Check]]
_File = TypeVar("_File", bound=Frozen)
_CAME_TO = {
    Outcome.passed: "passed",
    Outcome.failed: "failed",
    Outcome.inconclusive: "is inconclusive",
}
_NEXT_STEPS = {
    "unlisted_files": "remove what was put into the folder, or copy the bundle again",
    "special_files": "copy the bundle again, as plain files",
    "gates": "export it again with this release: pipeline export",
    "release": "export it again with this release: pipeline export",
}
_ASK_FOR_SIGNATURE = "whoever exported it signs it: pipeline sign BUNDLE --key key.pem"
_COPY_AGAIN = "copy it again from whoever exported it, or export it again; never edit one"


@dataclass(frozen=True)
class Verified:
    """Hold what a bundle's verification came to; `manifest` is None where it cannot be read."""

    folder: Path
    verdict: Verdict
    manifest: BundleManifest | None

    def refusal(self, *, where: Path | None = None) -> PipelineError | None:
        """Return why the bundle is refused, or None if it is proven.

        Args:
            where: the folder that the error names, where it is another.
        """
        check = self.refused_by
        if check is None:
            return None
        undecided = (
            check.name == "verdict_passed" and check.evidence["found"] == Outcome.inconclusive
        )
        kind = Inconclusive if undecided or check.outcome is Outcome.inconclusive else GateFailed
        return kind(
            sentence(check),
            where=str(where or self.folder),
            got=f"the check '{check.name.replace('_', ' ')}' {_CAME_TO[check.outcome]}",
            next_step=_next_step(check),
        )

    @property
    def refused_by(self) -> Check | None:
        """Return the first check that did not pass."""
        return next((c for c in self.verdict.checks if c.outcome is not Outcome.passed), None)


def verify(folder: Path, *, more: Sequence[MoreChecks] = ()) -> Verified:
    """Check every file of a bundle, judge its verdict again, and replay its goldens.

    1. The files: all there, unchanged, and nothing else. 2. The records: manifest and verdict pin
    each other and state the same inputs; the verdict follows from its own data, and no check is
    missing. 3. The model: the structure gate again, and the goldens through LiteRT on this host.
    A step that fails ends it: what comes after would be asked of files that nobody proved.

    Args:
        folder: what is verified; it is only read.
        more: further checks, after the first step.

    Raises:
        BadInput: this is no bundle at all.
        EnvironmentProblem: LiteRT could not run.
    """
    if not (folder / MANIFEST_FILE).is_file():
        raise no_bundle(folder)
    checks: list[Check] = []
    manifest: BundleManifest | None = None
    try:
        manifest = _read(BundleManifest, folder, MANIFEST_FILE)
        for step in _steps(folder, manifest, more):
            checks += step
            if any(check.outcome is not Outcome.passed for check in step):
                break
    except _Unreadable as problem:
        checks.append(problem.check)
    return Verified(folder, _verdict(checks, manifest), manifest)


class _Unreadable(Exception):
    """End the verification at a file that is not what its name says."""

    def __init__(self, name: str, got: str) -> None:
        super().__init__(got)
        self.check = expect("readable", Gate.bundle, [], [name], problem=got)


def _next_step(check: Check) -> str:
    if check.name == SIGNATURE_CHECK and check.evidence["found"] == SignatureState.absent:
        return _ASK_FOR_SIGNATURE
    return _NEXT_STEPS.get(check.name, _COPY_AGAIN)


def _steps(
    folder: Path, manifest: BundleManifest, more: Sequence[MoreChecks]
) -> Iterator[Sequence[Check]]:
    # 1.
    yield [release_check(manifest)]
    for check in file_checks(folder, manifest, files_in(folder)):
        yield [check]
    for one in more:
        yield one(folder, manifest)
    # 2.
    records = _records(folder, manifest)
    yield [gates_check(records.verdict, str(GATE_REVISION))]
    yield [pin_check(records)]
    yield [outcomes_check(records.verdict), passed_check(records.verdict)]
    yield [candidate_check(records)]
    found = _inspected(folder)
    yield [label_check(records, found.labels), recipe_check(records)]
    yield [*golden_checks(records)]
    yield [inputs_check(records)]
    yield _decision_checks(folder, manifest)
    # 3.
    try:
        yield from _model_steps(folder, records, found)
    except BadInput as error:
        # LiteRT refuses the file, or a golden cannot be decoded.
        yield [expect("model_runs", Gate.bundle, [], [error.got or error.what])]


def _model_steps(
    folder: Path, records: BundleRecords, found: Inspection
) -> Iterator[Sequence[Check]]:
    manifest, file = records.manifest, folder / MODEL_FILE
    described = DescribedModel(image=manifest.image, labels=manifest.labels)
    with ThreadPoolExecutor() as threads:
        replayed = threads.submit(ask_goldens, folder, records.manifest, records.goldens.goldens)
        structure = structure_gate(Candidate(file, found, described, manifest))
        yield structure.checks
        yield recorded_checks(
            records.verdict,
            manifest.labels,
            structure.checks,
            in_8_bits=works_in_8_bits(found),
        )
        yield _replayed(folder, records, replayed.result()).checks


def _decision_checks(folder: Path, manifest: BundleManifest) -> Sequence[Check]:
    """Choose a chosen decision again, by the answers that the bundle carries."""
    if manifest.chosen is None:
        return []
    try:
        reference = load_reference(folder, manifest)
    except BadInput as error:
        raise _Unreadable(REFERENCE_FILE, error.got or error.what) from error
    if reference is None:
        return []
    check = decision_check(manifest, reference.truth, reference.probabilities)
    return [] if check is None else [check]


def _read(kind: type[_File], folder: Path, name: str) -> _File:
    try:
        read_strict_json(folder / name)
        return kind.load(folder / name)
    except BadInput as error:
        raise _Unreadable(name, error.got or error.what) from error


def _records(folder: Path, manifest: BundleManifest) -> BundleRecords:
    try:
        text = read_text(folder / LABELS_FILE, "label file", max_bytes=MAX_CONFIG_BYTES)
    except BadInput as error:
        raise _Unreadable(LABELS_FILE, error.got or error.what) from error
    for role in ("model", "dataset"):
        if role not in manifest.parents:
            raise _Unreadable(MANIFEST_FILE, f"parents: no {role}")
    if (folder / MEASURED_FILE).is_file():
        _read(Measured, folder, MEASURED_FILE)
    return BundleRecords(
        manifest,
        _read(Verdict, folder, VERDICT_FILE),
        _read(Recipe, folder, RECIPE_FILE),
        _read(Goldens, folder, GOLDENS_FILE),
        tuple(line.strip() for line in text.splitlines() if line.strip()),
    )


def _inspected(folder: Path) -> Inspection:
    try:
        return inspect_file(folder / MODEL_FILE)
    except BadInput as error:
        raise _Unreadable(MODEL_FILE, error.got or error.what) from error


def _replayed(folder: Path, records: BundleRecords, answers: Answers) -> Verdict:
    """Judge this host as a phone is judged: what it feeds and what it answers."""
    goldens = records.goldens
    rows = answers.probabilities.tolist()
    again = tuple(
        golden_of(_photo(folder, golden), records.manifest, row)
        for golden, row in zip(goldens.goldens, rows, strict=True)
    )
    differing = tuple(
        golden.sha256
        for golden, here in zip(goldens.goldens, again, strict=True)
        if not _prepared_alike(golden, here, goldens.near_levels)
    )
    sha256 = sha256_file(folder / GOLDENS_FILE)
    reference = golden_recording(goldens, goldens_sha256=sha256)
    here = golden_recording(goldens.model_copy(update={"goldens": again}), goldens_sha256=sha256)
    return judge_goldens(
        reference, replace(here, self_test_failed=differing), tolerance=goldens.tolerance
    )


def _photo(folder: Path, golden: Golden) -> GoldenPhoto:
    return GoldenPhoto(
        golden.file,
        golden.about,
        read_regular(folder / GOLDENS_FOLDER / golden.file, max_bytes=MAX_IMAGE_BYTES),
    )


def _prepared_alike(golden: Golden, here: Golden, near_levels: float) -> bool:
    if (golden.width_px, golden.height_px) != (here.width_px, here.height_px):
        return False
    if golden.pixels_sha256 == here.pixels_sha256:
        return golden.tensor_sha256 == here.tensor_sha256
    apart = np.abs(np.array(golden.cell_means) - np.array(here.cell_means))
    return bool(apart.max() <= near_levels)


def _verdict(checks: Sequence[Check], manifest: BundleManifest | None) -> Verdict:
    entry = None if manifest is None else manifest.files.get(MODEL_FILE)
    return Verdict.from_checks(
        checks, candidate={} if entry is None else {"model_sha256": entry.sha256}
    )
