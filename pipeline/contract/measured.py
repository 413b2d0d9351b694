"""Keep what was measured, and so differs each time, out of what is hashed.

It lies in a file of its own, which the manifest does not list: so the same inputs give the same
bytes of every other file of a bundle, and manifest and verdict still pin each other. No check is
made of it. A signature covers it as any file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from pipeline.contract.base import Frozen
from pipeline.contract.bundle import MEASURED_FILE, VERDICT_FILE, seal_bundle
from pipeline.contract.manifest import BundleManifest
from pipeline.contract.search import SearchRecord
from pipeline.contract.verdict import Verdict

# Latencies, whether a recording was found or made, and the digests of recordings, which hold
# latencies.
_OF_FIGURES = ("latency_ms", "recordings")
_OF_SIDES = ("recording_sha256",)


# Of a trial of the int8 search.
_OF_TRIAL = ("latency_ms_p50", "latency_of_plain", "latency_of_float16")


class Measured(Frozen):
    """Hold what differs each time a bundle is exported from the same inputs.

    `figures`, `reference` and `candidate` belong to the verdict's, `search_latencies` has the
    values of each trial of the manifest's search.
    """

    called: ClassVar[str | None] = "measured figures"

    schema_version: Literal[1] = 1
    kind: Literal["measured"] = "measured"
    figures: dict[str, JsonValue] = Field(default_factory=dict)
    reference: dict[str, JsonValue] = Field(default_factory=dict)
    candidate: dict[str, JsonValue] = Field(default_factory=dict)
    search_latencies: tuple[dict[str, float | None], ...] = ()

    def of_verdict(self, verdict: Verdict) -> Verdict:
        """Return a verdict with what was measured, for who shows it."""
        return verdict.model_copy(
            update={
                "figures": {**verdict.figures, **_only(self.figures, _OF_FIGURES)},
                "reference": {**verdict.reference, **_only(self.reference, _OF_SIDES)},
                "candidate": {**verdict.candidate, **_only(self.candidate, _OF_SIDES)},
            }
        )

    def of_manifest(self, manifest: BundleManifest) -> BundleManifest:
        """Return a manifest with the latencies of its search, for who shows them."""
        values = self.search_latencies
        if len(values) != len(manifest.search.trials):
            return manifest
        return _with_latencies(manifest, values)


def set_apart(
    manifest: BundleManifest, verdict: Verdict
) -> tuple[BundleManifest, Verdict, Measured]:
    """Return what is the same for the same inputs, and what was measured."""
    trials = manifest.search.trials
    measured = Measured(
        figures=_only(verdict.figures, _OF_FIGURES),
        reference=_only(verdict.reference, _OF_SIDES),
        candidate=_only(verdict.candidate, _OF_SIDES),
        search_latencies=tuple(
            {name: getattr(trial, name) for name in _OF_TRIAL} for trial in trials
        ),
    )
    same = verdict.model_copy(
        update={
            "figures": _without(verdict.figures, _OF_FIGURES),
            "reference": _without(verdict.reference, _OF_SIDES),
            "candidate": _without(verdict.candidate, _OF_SIDES),
        }
    )
    none: dict[str, float | None] = dict.fromkeys(_OF_TRIAL)
    return _with_latencies(manifest, (none,) * len(trials)), same, measured


def write_records(
    folder: Path, manifest: BundleManifest, verdict: Verdict
) -> tuple[BundleManifest, Verdict]:
    """Write the manifest, the verdict and what was measured; return both with what was measured.

    Every other file of the bundle must be in `folder` and in the manifest by now.
    """
    same_manifest, same_verdict, measured = set_apart(manifest, verdict)
    measured.save(folder / MEASURED_FILE)
    sealed, pinned = seal_bundle(folder, same_manifest, same_verdict)
    return measured.of_manifest(sealed), measured.of_verdict(pinned)


def load_measured(folder: Path) -> Measured:
    """Read what was measured of a bundle; nothing where the file is missing.

    Raises:
        BadInput: the file is damaged.
    """
    path = folder / MEASURED_FILE
    return Measured.load(path) if path.exists() else Measured()


def load_verdict(folder: Path) -> Verdict:
    """Read the verdict of a bundle with what was measured.

    Raises:
        BadInput: there is none, or one of the files is damaged.
    """
    return load_measured(folder).of_verdict(Verdict.load(folder / VERDICT_FILE))


def _with_latencies(
    manifest: BundleManifest, values: tuple[dict[str, float | None], ...]
) -> BundleManifest:
    search: SearchRecord = manifest.search
    trials = tuple(
        trial.model_copy(update=_only(value, _OF_TRIAL))
        for trial, value in zip(search.trials, values, strict=True)
    )
    return manifest.model_copy(update={"search": search.model_copy(update={"trials": trials})})


def _only(values: Mapping[str, JsonValue], names: tuple[str, ...]) -> dict[str, JsonValue]:
    return {name: values[name] for name in names if name in values}


def _without(values: dict[str, JsonValue], names: tuple[str, ...]) -> dict[str, JsonValue]:
    return {name: value for name, value in values.items() if name not in names}
