"""Ask a runtime that is a Python package, in a child process of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import imaging
from pipeline.child import ask_child
from pipeline.contract.base import Frozen
from pipeline.contract.manifest import package_versions
from pipeline.contract.temporary import temporary_folder
from pipeline.errors import EnvironmentProblem, from_dict
from pipeline.progress import Report
from pipeline.runtimes.interface import (
    Answers,
    Identity,
    InferenceRequest,
    Runtime,
    RuntimeDescription,
)
from pipeline.runtimes.native import install_hint

_ABSENT = "absent"


class ChildRequest(InferenceRequest):
    """Ask as `InferenceRequest` does, with the arrays of the answer going to `out`.

    They are, as `.npz`: probabilities float32 (n, classes), answered int64 (n,) and latencies_ms
    float64 (m,), see `Answers`.
    """

    out: Path


class ChildAnswer(Frozen):
    """Say which model answered, and which images could not be read."""

    class Bad(Frozen):
        """Hold the refusal of the image at `index`, as `PipelineError.to_dict` gives it."""

        index: int
        error: dict[str, Any]

    model_sha256: str
    bad: tuple[Bad, ...]


@dataclass(frozen=True, kw_only=True)
class ChildRuntime(RuntimeDescription):
    """Describe a runtime that is a Python package.

    `packages` are the distributions that decide an answer, the runtime's own first.
    `environment` is added to that of the child process. `open` opens a model there, and is the
    first to import the runtime; it raises BadInput where the runtime refuses the model. `process`
    names the process that it may share, on one thread; see `pipeline.worker`.
    """

    packages: tuple[str, ...]
    open: Callable[[InferenceRequest], Runtime[Any]]
    environment: Mapping[str, str] = field(default_factory=dict)
    process: str | None = None

    def require(self) -> None:
        """Check that the packages are installed, without importing them."""
        versions = package_versions(*self.packages)
        for package in self.packages:
            if versions[package] == _ABSENT:
                raise EnvironmentProblem(
                    f"the runtime {self.name} needs the package {package}, which is not installed",
                    next_step=install_hint(package),
                )

    def identity(self) -> Identity:
        """Return the versions of the packages and of what decodes and resizes the images."""
        self.require()
        versions = package_versions(*self.packages, "pillow", "numpy")
        return Identity(
            version=versions[self.packages[0]],
            decided_by={**versions, "imaging": str(imaging.REVISION)},
        )

    def ask(self, request: InferenceRequest, *, log: Path | None, report: Report) -> Answers:
        """Answer image files in a child process."""
        self.require()
        with temporary_folder("answers") as folder:
            out = folder / "answers.npz"
            answer = ask_child(
                "pipeline.runtimes.answer:answer_child",
                ChildRequest(**dict(request), out=out),
                ChildAnswer,
                env=self.environment,
                log=log,
                report=report,
                blamed=request.model,
                process=self.process if request.threads == 1 else None,
            )
            if answer.model_sha256 != request.model_sha256:
                raise EnvironmentProblem(
                    "the runtime answered for another model",
                    where=str(request.model),
                    expected=f"sha256 {request.model_sha256}",
                    got=f"sha256 {answer.model_sha256}",
                )
            with np.load(out, allow_pickle=False) as arrays:
                return Answers(
                    probabilities=arrays["probabilities"],
                    answered=arrays["answered"],
                    latencies_ms=arrays["latencies_ms"],
                    bad={bad.index: from_dict(bad.error) for bad in answer.bad},
                    probed=arrays["probed"],
                    by_normalization=arrays["by_normalization"],
                )
