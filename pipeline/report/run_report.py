"""Hold everything the HTML report shows; every part but the verdicts may be missing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from pipeline.contract.calibration import ReliabilityBin
from pipeline.contract.dataset import DatasetManifest
from pipeline.contract.manifest import BundleManifest, ModelManifest
from pipeline.contract.trace import Trace
from pipeline.contract.verdict import Verdict
from pipeline.metrics import Metrics
from pipeline.report.verdict_figures import VerdictFigures, figures_of

HistoryRow = Mapping[str, float | str | None]
Interval = tuple[float, float]


@dataclass(frozen=True)
class TrueClassPoints:
    """Hold the probability each side gave the true class of each labelled image.

    truth: int64 (n,), label indices; reference, candidate: float32 (n,), 0 to 1.
    """

    truth: npt.NDArray[np.int64]
    reference: npt.NDArray[np.float32]
    candidate: npt.NDArray[np.float32]


@dataclass(frozen=True)
class Calibration:
    """Hold how far one side's confidence is its accuracy: the bins, and the error over them."""

    bins: tuple[ReliabilityBin, ...]
    error: float


@dataclass(frozen=True)
class Calibrations:
    """Hold the calibration of both sides on the labelled images."""

    reference: Calibration
    candidate: Calibration


@dataclass(frozen=True)
class RiskCoverage:
    """Hold one side's risk where its most confident answers are given: points, coverage rising.

    coverage, risk: float64 (n,), 0 to 1.
    """

    coverage: npt.NDArray[np.float64]
    risk: npt.NDArray[np.float64]


@dataclass(frozen=True)
class RecallIntervals:
    """Hold the 95% interval of one class's recall on both sides, each 0 to 1."""

    reference: Interval
    candidate: Interval


@dataclass(frozen=True)
class Picture:
    """Hold one image as a page shows it, where pictures were asked for."""

    file_name: str
    data_uri: str


@dataclass(frozen=True)
class PageLink:
    """Hold the way to the page of a model: `href` is relative, `current` this page itself."""

    title: str
    href: str
    current: bool


@dataclass(frozen=True)
class Unreadable:
    """Hold one thing of the run that could not be read, and so is not in the report."""

    where: str
    what: str
    got: str | None = None


@dataclass(frozen=True)
class BundleResult:
    """Hold what became of one recipe; `published` or `rejected` is where its folder is.

    risk_coverage: of each side, `reference` and `candidate`; empty where no image has a label.
    recall_intervals: by label, where the class has images.
    pictures: by image id, the flips that could be found; None where no pictures were asked for.
    debug_page: the way to the page on its layers, relative to the report; None where there is none.
    """

    name: str
    verdict: Verdict
    manifest: BundleManifest | None = None
    published: str | None = None
    rejected: str | None = None
    points: TrueClassPoints | None = None
    calibrations: Calibrations | None = None
    risk_coverage: Mapping[str, RiskCoverage] = field(default_factory=dict)
    recall_intervals: Mapping[str, RecallIntervals] = field(default_factory=dict)
    pictures: Mapping[str, Picture] | None = None
    debug_page: str | None = None
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
    """Hold what the page of one model shows.

    metrics: the Keras model's figures by split.
    unreadable: what is left out, because it could not be read.
    history: one row an epoch, column name to value, a number or its text. Columns `x` and `val_x`
        share a plot, `phase` is marked where it changes, `epoch` and other text is left out.
    date: when the page was made, in words.
    pages: the pages of this run, a model each; empty where this is the only one.
    images: whether pictures and file names of images were asked for; without, the page has none.
    """

    title: str
    bundles: Sequence[BundleResult]
    dataset: DatasetManifest | None = None
    model: ModelManifest | None = None
    metrics: Mapping[str, Metrics] = field(default_factory=dict)
    history: Sequence[HistoryRow] = ()
    unreadable: Sequence[Unreadable] = ()
    date: str | None = None
    pages: Sequence[PageLink] = ()
    images: bool = False
