"""Let LiteRT answer each question about a model once a process, however often it is verified."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pipeline.contract.bundle import manifest_digest
from pipeline.contract.hashing import sha256_file
from pipeline.export import goldens
from pipeline.parity.structure import Structure
from pipeline.runtimes.interface import Answers, InferenceRequest
from pipeline.workflow import verify as module
from pipeline.workflow.judge import Candidate

_structures: dict[tuple[str, str], Structure] = {}
_answers: dict[tuple[str, ...], Answers] = {}
_structure_gate, _ask = module.structure_gate, goldens.ask


def _structure_once(candidate: Candidate, *, log: Path | None = None) -> Structure:
    assert candidate.manifest is not None
    key = (sha256_file(candidate.file), manifest_digest(candidate.manifest))
    if key not in _structures:
        _structures[key] = _structure_gate(candidate, log=log)
    return _structures[key]


def _answers_once(request: InferenceRequest, **options: Any) -> Answers:
    key = (
        request.image.digest(),
        *map(sha256_file, (request.model, *(i.path for i in request.images))),
    )
    if key not in _answers:
        _answers[key] = _ask(request, **options)
    return _answers[key]


@pytest.fixture
def litert_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep LiteRT's real answers between tests; a model or a photo that differs is asked anew."""
    monkeypatch.setattr(module, "structure_gate", _structure_once)
    monkeypatch.setattr(goldens, "ask", _answers_once)
