"""Turn what a script passes into the values of the contract."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from pipeline.contract.base import first_problem
from pipeline.contract.run import RunDir
from pipeline.errors import BadInput

if TYPE_CHECKING:
    from pipeline.contract.normalization import Normalization
    from pipeline.workflow.keras_model import StatedModel


def stated_model(
    labels: Sequence[str] | None,
    critical: Sequence[str] | None,
    normalization: Normalization | str | None,
    logits: bool,
    size_px: tuple[int, int] | None,
) -> StatedModel:
    """Return what a caller states of a model."""
    from pipeline.contract.normalization import Normalization
    from pipeline.contract.normalization_name import NormalizationName
    from pipeline.workflow.keras_model import StatedModel

    if isinstance(normalization, str):
        with arguments_checked():
            normalization = Normalization.named(NormalizationName(normalization))
    return StatedModel(
        labels=None if labels is None else tuple(labels),
        critical=None if critical is None else tuple(critical),
        normalization=normalization,
        logits=logits,
        size=size_px,
    )


@contextmanager
def run_or_scratch(run_dir: str | PathLike[str] | None) -> Iterator[RunDir]:
    """Yield the run folder that was named, or one for this call alone."""
    if run_dir is not None:
        yield RunDir(Path(run_dir))
        return
    with tempfile.TemporaryDirectory(prefix="pipeline-") as folder:
        yield RunDir(Path(folder))


def several(
    paths: str | PathLike[str] | Iterable[str | PathLike[str]],
) -> list[str | PathLike[str]]:
    """Return one path or many as a list."""
    return [paths] if isinstance(paths, str | PathLike) else [*paths]


@contextmanager
def arguments_checked() -> Iterator[None]:
    """Turn the arguments into contract values inside this block, and nothing else."""
    try:
        yield
    except ValidationError as error:
        raise BadInput("these arguments do not fit together", got=first_problem(error)) from error
    except ValueError as error:
        raise BadInput("not one of the values of its argument", got=str(error)) from error


def path_or_none(path: str | PathLike[str] | None) -> Path | None:
    """Return a path of what was passed."""
    return None if path is None else Path(path)
