"""Say why a bundle is refused, in the words in which the Android app says it too."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.contract.bundle import GOLDENS_FILE, MANIFEST_FILE
from pipeline.contract.verdict import Check, Gate
from pipeline.report.wording import joined, plain

_SHOWN_NAMES = 8


def bundle_sentence(check: Check) -> str | None:
    """Return why a check of the gate `bundle` refuses its bundle; None of any other check.

    A sentence names the first thing that is wrong, as a person has to begin with one.
    """
    make = _SENTENCES.get(check.name) if check.gate is Gate.bundle else None
    return None if make is None else make(check)


def _first(check: Check) -> Any:
    found = check.evidence.get("found")
    return found[0] if isinstance(found, list) and found else found


def _apart(check: Check) -> list[str]:
    """Return the keys under which what was expected and what was found differ."""
    expected, found = check.evidence.get("expected"), check.evidence.get("found")
    if not isinstance(expected, Mapping) or not isinstance(found, Mapping):
        return []
    return sorted(k for k in {*expected, *found} if expected.get(k) != found.get(k))


def _needed(check: Check) -> str:
    if _first(check) == GOLDENS_FILE:
        return "The bundle has no goldens, so the phone cannot prove it."
    return f"The bundle is not whole: {_first(check)} is missing."


def _outcomes(check: Check) -> str:
    one = _first(check)
    return (
        f"The verdict contradicts its own data: {one['check']} is recorded as {one['recorded']} "
        f"and comes to {one['judged']}."
    )


def _complete(check: Check) -> str:
    found: Any = check.evidence["found"]
    for what in ("missing", "repeated", "unknown"):
        if found[what]:
            return f"The verdict's checks are not those of its gates: {found[what][0]} is {what}."
    return "The verdict's checks are not those of its gates."


def _labels(check: Check) -> str:
    expected: Any = check.evidence["expected"]
    found: Any = check.evidence["found"]
    name = next(name for name in found if found[name] != expected[name])
    return labels_sentence(name, found[name], expected[name])


def labels_sentence(file: str, stated: list[str], own: list[str]) -> str:
    """Say that a file of the bundle names other labels than the model has."""
    return (
        f"The labels are not the model's: {file} says {_shown(stated)}; "
        f"the model says {_shown(own)}."
    )


def _shown(names: list[str]) -> str:
    more = ", ..." if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more


def _goldens_fit(check: Check) -> str:
    what = "image contract" if _apart(check) == ["image"] else "model"
    return f"The goldens belong to another {what}."


def _tolerance(check: Check) -> str:
    return (
        f"The goldens allow a difference of {plain(check.value)}, "
        f"more than {plain(check.threshold)}."
    )


def _signature(check: Check) -> str:
    data: Any = check.evidence
    if data["found"] == "absent":
        return "The bundle is not signed."
    for key, what in (
        ("changed", "was changed after it was signed"),
        ("missing", "was signed and is missing"),
        ("not_signed", "is not signed"),
    ):
        if data[key]:
            return f"The signature is of other files: {data[key][0]} {what}."
    if data["found"] == "good":
        return f"Signed with {data['signer']}, over {len(data['files'])} files."
    return f"The signature was not made with {data['signer']}, or is damaged: {data['detail']}"


def _data(what: str) -> Callable[[Check], str]:
    return lambda check: f"The verdict contradicts its own data: {what}, {plain(_first(check))}."


_SENTENCES: dict[str, Callable[[Check], str]] = {
    "release": lambda _: "The bundle was made by an earlier release of pipeline: export it again.",
    "gates": lambda _: "The bundle was made by an earlier release of pipeline: export it again.",
    "readable": lambda c: (
        f"{_first(c)} is not what it should be."
        if not str(_first(c)).endswith(".json")
        else f"{_first(c)} is not the JSON it should be."
    ),
    "file_names": lambda c: f"The manifest names what is no file of the bundle: {_first(c)}.",
    "special_files": lambda c: f"The bundle holds what is no plain file: {_first(c)}.",
    "missing_files": lambda c: f"The bundle is not whole: {_first(c)} is missing.",
    "unlisted_files": lambda c: (
        f"The bundle holds a file that its manifest does not list: {_first(c)}."
    ),
    "needed_files": _needed,
    "changed_files": lambda c: (
        f"The bundle was changed after it was proven: {_first(c)} differs from {MANIFEST_FILE}."
    ),
    "manifest_pinned": lambda _: (
        f"The bundle was changed after it was proven: {MANIFEST_FILE} is "
        "not the one of its verdict."
    ),
    "outcomes_follow": _outcomes,
    "verdict_passed": lambda c: (
        f"The model is not proven: its verdict is {c.evidence['found']}, not pass."
    ),
    "candidate_model": lambda _: "The verdict belongs to another model.",
    "labels_agree": _labels,
    "recipe_agrees": lambda _: "The recipe is not the manifest's: recipe.json says another.",
    "goldens_fit": _goldens_fit,
    "golden_photos": lambda c: (
        f"The goldens are not the photos of the manifest: {joined(_apart(c))}."
    ),
    "goldens_complete": lambda c: f"The goldens are not complete: {_first(c)} is missing.",
    "golden_tolerance": _tolerance,
    "golden_near_levels": _tolerance,
    "inputs": lambda c: (
        "The verdict was given for another bundle: they differ in "
        f"{joined(name.replace('_', ' ') for name in _apart(c))}."
    ),
    "thresholds_stated": lambda _: "The verdict states no thresholds.",
    "checks_complete": _complete,
    "form_of_checks": _data("a check is not as its gate makes it"),
    "thresholds_consistent": _data("a threshold is not the one that it states"),
    "decision_follows": lambda _: (
        "The thresholds are not those that the bundle's own reference answers lead to."
    ),
    "values_follow": _data("a value does not follow from its evidence"),
    "structure_as_recorded": _data("the file is not the one whose structure was judged"),
    "critical_classes": _data("its critical classes are not the manifest's"),
    "figures_agree": _data("its figures do not fit its checks"),
    "noise_agrees": _data("its record of the model's own noise does not fit its checks"),
    "bundle_signature": _signature,
    "model_runs": lambda c: f"The model cannot be run on its goldens: {_first(c)}.",
}
