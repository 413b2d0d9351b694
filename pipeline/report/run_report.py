"""Hold everything the HTML report shows; every part but the verdicts may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.manifest import BundleManifest, ModelManifest
from pipeline.contract.trace import Trace
from pipeline.contract.verdict import Verdict
from pipeline.metrics import Metrics
from pipeline.report.verdict_figures import VerdictFigures, figures_of

HistoryRow = Mapping[str, float | str | None]


@dataclass(frozen=True)
class TrueClassPoints:
    """Hold the probability each side gave the true class of each labelled image.

    truth: int64 (n,), label indices; reference, candidate: float32 (n,), 0 to 1.
    """

    truth: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    candidate: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Unreadable:
    """Hold one thing of the run that could not be read, and so is not in the report."""

    where: str
    what: str
    got: str | None = None


@dataclass(frozen=True)
class BundleResult:
    """Hold what became of one recipe; `published` or `rejected` is where its folder is."""

    name: str
    verdict: Verdict
    manifest: BundleManifest | None = None
    published: str | None = None
    rejected: str | None = None
    points: TrueClassPoints | None = None
    trace: Trace | None = None

    @property
    def figures(self) -> VerdictFigures:
        """Return the measured values of the verdict.

        Raises:
            BadInput: they have another form.
        """
        return figures_of(self.verdict)


@dataclass(frozen=True)
class RunReport:
    """Hold one run.

    metrics: the Keras model's figures by split.
    unreadable: what is left out, because it could not be read.
    history: one row an epoch, column name to value, a number or its text. Columns `x` and `val_x`
        share a plot, `phase` is marked where it changes, `epoch` and other text is left out.
    """

    title: str
    bundles: Sequence[BundleResult]
    dataset: DatasetManifest | None = None
    model: ModelManifest | None = None
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: Sequence[HistoryRow] = ()
    unreadable: Sequence[Unreadable] = ()
