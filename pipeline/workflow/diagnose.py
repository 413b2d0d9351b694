"""Name the mistake of a runtime that answers otherwise than the bundle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import assert_never

import numpy as np
import numpy.typing as npt

from pipeline.contract.bundle import MODEL_FILE, load_bundle
from pipeline.contract.choices import Mistake
from pipeline.contract.diagnosis import Diagnosis, Found
from pipeline.contract.files import resolved
from pipeline.contract.hashing import sha256_file
from pipeline.contract.image import ImageContract
from pipeline.contract.labels import Labels
from pipeline.errors import BadInput, GateFailed, Inconclusive
from pipeline.mistakes.interface import Answered, AnswerMistake, Fed
from pipeline.mistakes.registry import can_be_made, describe, input_variants, wrong_answers
from pipeline.parity.diagnosis import Float32, Prediction, decide, distances
from pipeline.parity.thresholds import Thresholds
from pipeline.progress import ProgressEvent, Report, silent
from pipeline.runtimes.interface import ImageFile
from pipeline.runtimes.mistaken import Hypothesis, MistakenRequest, ask_mistaken
from pipeline.runtimes.recording import Recording
from pipeline.tflite.inspect import Inspection, inspect_file
from pipeline.tflite.metadata import described_model
from pipeline.workflow.predict import find_images

# Every mistake is made on so many images, the nearest ones on all: a network of MobileNetV2's size
# answers 200 images in half a minute.
_FIRST_IMAGES = 40
_KEPT = 6


def diagnose(
    reference: Path,
    candidate: Path,
    data: Path,
    *,
    images: int,
    report: Report = silent,
) -> Diagnosis:
    """Make each known mistake with the bundle's file, and see which predicts the recording.

    What the bundle's file answers on this machine with the right input is what the runtime should
    have answered.

    Args:
        reference: a bundle folder, or a `.tflite` file with metadata.
        candidate: the recording of the runtime that disagrees, a phone's too.
        data: a folder with the images that were recorded, under any names.
        images: at most so many of them are used.
        report: receives progress.

    Raises:
        BadInput: the recording is of other labels or has values that are no numbers, no image of
            it is in the folder, or something is refused.
        EnvironmentProblem: LiteRT could not run.
    """
    model = _model(reference)
    recording = Recording.load(candidate)
    answers = _answers_by_label(recording, model.labels, candidate)
    rows, files = _find(recording, data, images, report)
    right, predictions, unseen, impossible = _predict(model, files, answers[rows], report)
    decision = decide(right, answers[rows], predictions, Thresholds())
    facts = recording.facts
    chosen = answers[rows].argmax(axis=1)
    return Diagnosis(
        found=decision.found,
        reference=str(reference),
        reference_sha256=model.inspection.sha256,
        candidate=str(candidate),
        runtime=facts.runtime,
        runtime_version=facts.runtime_version,
        host=facts.host,
        same_model=facts.model_sha256 == model.inspection.sha256,
        recorded=facts.count,
        images=len(rows),
        flips=int((right.argmax(axis=1) != chosen).sum()),
        distance=float(distances(right, answers[rows]).mean()),
        largest_difference=float(np.abs(right - answers[rows]).max(axis=1).mean()),
        named=decision.named,
        suspects=decision.suspects,
        unseen=unseen,
        impossible=impossible,
    )


def exit_code(found: Found) -> int:
    """Return how the command ends: a mistake is a failed gate, an unknown one is undecided."""
    match found:
        case Found.no_disagreement:
            return 0
        case Found.known:
            return GateFailed.exit_code
        case Found.none_known:
            return Inconclusive.exit_code
        case _:
            assert_never(found)


@dataclass(frozen=True)
class _Model:
    """Hold the file that answers, and what it takes."""

    file: Path
    inspection: Inspection
    image: ImageContract
    labels: Labels


def _model(reference: Path) -> _Model:
    if not reference.is_dir():
        described = described_model(reference)
        return _Model(reference, inspect_file(reference), described.image, described.labels)
    manifest, file = load_bundle(reference), reference / MODEL_FILE
    return _Model(file, inspect_file(file), manifest.image, manifest.labels)


def _answers_by_label(recording: Recording, labels: Labels, where: Path) -> Float32:
    """Return the recorded answers, columns in the model's order.

    Raises:
        BadInput: other labels, or values that are no numbers.
    """
    names = recording.facts.labels
    if sorted(names) != sorted(labels.names):
        raise BadInput(
            "the recording has other labels than the reference",
            where=str(where),
            expected=", ".join(labels.names),
            got=", ".join(names),
        )
    broken = int((~np.isfinite(recording.probabilities)).any(axis=1).sum())
    if broken:
        raise BadInput(
            "the recording has values that are no numbers",
            where=str(where),
            expected="finite numbers",
            got=f"{broken} of {recording.facts.count} images with infinity or NaN",
            next_step="look at what the runtime divides by: a standard deviation of 0 gives these",
        )
    return recording.probabilities[:, [names.index(name) for name in labels.names]]


def _find(
    recording: Recording, data: Path, most: int, report: Report
) -> tuple[npt.NDArray[np.int64], list[ImageFile]]:
    """Return the rows of the recording whose images are in the folder, at most `most` of them.

    Raises:
        BadInput: none is.
    """
    if not data.is_dir():
        raise BadInput("there is no folder of images here", where=str(data))
    row_of = {image_id: row for row, image_id in enumerate(recording.image_ids.tolist())}
    found: dict[int, ImageFile] = {}
    candidates = find_images([str(data)])
    for done, path in enumerate(candidates, start=1):
        sha256 = sha256_file(path)
        if sha256 in row_of:
            found.setdefault(row_of[sha256], ImageFile(path=path, sha256=sha256))
        report(ProgressEvent("looking for the recorded images", done, len(candidates)))
        if len(found) == len(row_of):
            break
    if not found:
        raise BadInput(
            "no image of the recording is in this folder",
            where=str(data),
            expected="image files whose SHA-256 the recording names, such as "
            f"{recording.image_ids[0][:12]}...",
            got=f"{len(candidates)} images, none of them recorded",
            next_step="give the folder the runtime's images came from, with --data; for a phone's "
            "self-test that is goldens/ in the bundle",
        )
    rows = sorted(found)
    if len(rows) > most:
        rows = [rows[int(place)] for place in np.linspace(0, len(rows) - 1, most).round()]
    return np.array(rows, np.int64), [found[row] for row in rows]


def _predict(
    model: _Model, files: Sequence[ImageFile], candidate: Float32, report: Report
) -> tuple[Float32, list[Prediction], tuple[Mistake, ...], tuple[Mistake, ...]]:
    """Return the right answers, what each mistake predicts, and the mistakes that do nothing."""
    graph = model.inspection.graph
    fed = Fed(model.image, graph.inputs[0])
    every = [
        Hypothesis(mistake=name, variant=variant)
        for name in Mistake
        for variant in input_variants(name, fed)
    ]
    order = _spread(len(files))
    first, rest = order[:_FIRST_IMAGES], order[_FIRST_IMAGES:]
    answers, same = _ask(model, [files[i] for i in first], every, report)
    scored = {i: (first, answers[i + 1]) for i in range(len(every))}
    right = np.zeros((len(files), candidate.shape[1]), np.float32)
    right[first] = answers[0]
    if rest:
        apart = [float(distances(rows, candidate[first]).mean()) for rows in answers[1:]]
        near = sorted(range(len(every)), key=apart.__getitem__)
        # One that has done nothing so far may yet: a turned photograph is rare.
        kept = sorted({*near[:_KEPT], *np.flatnonzero(same).tolist()})
        more, more_same = _ask(model, [files[i] for i in rest], [every[k] for k in kept], report)
        right[rest] = more[0]
        for place, k in enumerate(kept):
            scored[k] = (order, np.concatenate([answers[k + 1], more[place + 1]]))
            same[k] &= more_same[place]
    predictions = [
        Prediction(every[k].mistake, every[k].variant, right[at], candidate[at], rows)
        for k, (at, rows) in scored.items()
        if not same[k]
    ]
    predictions += _on_the_way_out(Answered(right, candidate, graph.outputs[0]), model.labels.names)
    made, seen = {one.mistake for one in every}, {one.mistake for one in predictions}
    unseen = tuple(name for name in Mistake if name in made - seen)
    output = graph.outputs[0]
    impossible = tuple(name for name in Mistake if not can_be_made(name, fed, output))
    return right, predictions, unseen, impossible


def _ask(
    model: _Model, files: list[ImageFile], hypotheses: list[Hypothesis], report: Report
) -> tuple[Float32, npt.NDArray[np.bool_]]:
    return ask_mistaken(
        MistakenRequest(
            model=resolved(model.file),
            model_sha256=model.inspection.sha256,
            image=model.image,
            input=model.inspection.graph.inputs[0],
            images=tuple(file.model_copy(update={"path": resolved(file.path)}) for file in files),
            hypotheses=tuple(hypotheses),
            out=Path(),
        ),
        report=report,
    )


def _on_the_way_out(answered: Answered, labels: tuple[str, ...]) -> list[Prediction]:
    found = []
    for name in Mistake:
        mistake = describe(name)
        order: tuple[str, ...] = ()
        for variant, rows in wrong_answers(name, answered).items():
            if np.array_equal(rows, answered.right):
                continue
            if isinstance(mistake, AnswerMistake) and mistake.order is not None:
                order = tuple(labels[int(k)] for k in mistake.order(answered))
            found.append(Prediction(name, variant, answered.right, answered.candidate, rows, order))
    return found


def _spread(count: int) -> list[int]:
    """Return all places, so that the first ones lie evenly among them."""
    step = max(1, count // _FIRST_IMAGES)
    first = list(range(0, count, step))[:_FIRST_IMAGES]
    return first + sorted(set(range(count)) - set(first))
