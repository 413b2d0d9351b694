"""Keep what was measured, and so differs each time, out of what is hashed and signed."""

from __future__ import annotations

from pipeline.contract.manifest import BundleManifest
from pipeline.contract.search import SearchRecord
from pipeline.contract.verdict import Verdict

_LATENCIES = "search_latency_ms_p50"


def set_apart(manifest: BundleManifest, verdict: Verdict) -> tuple[BundleManifest, Verdict]:
    """Move the latencies of a search from the manifest to the verdict on the same file.

    The same inputs then give the same bytes of a manifest, as they do of a model.
    """
    trials = manifest.search.trials
    measured = [trial.latency_ms_p50 for trial in trials]
    if not any(value is not None for value in measured):
        return manifest, verdict
    return (
        _with_latencies(manifest, [None] * len(trials)),
        verdict.model_copy(update={"candidate": {**verdict.candidate, _LATENCIES: measured}}),
    )


def put_together(manifest: BundleManifest, verdict: Verdict) -> BundleManifest:
    """Return a manifest with the latencies that its verdict holds, for who shows them."""
    measured = verdict.candidate.get(_LATENCIES)
    if not isinstance(measured, list) or len(measured) != len(manifest.search.trials):
        return manifest
    if not all(isinstance(value, int | float) and value >= 0 for value in measured):
        return manifest
    return _with_latencies(manifest, measured)


def _with_latencies(manifest: BundleManifest, values: list[float | None]) -> BundleManifest:
    search: SearchRecord = manifest.search
    trials = tuple(
        trial.model_copy(update={"latency_ms_p50": value})
        for trial, value in zip(search.trials, values, strict=True)
    )
    return manifest.model_copy(update={"search": search.model_copy(update={"trials": trials})})
