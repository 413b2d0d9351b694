"""Show an evaluation: tables for a terminal, and a page, of the same values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePath

from rich.table import Table

from pipeline.contract.evaluation import Difference, Estimate, Evaluation, ModelComparison
from pipeline.report.page import render
from pipeline.report.wording import NOTHING, counted

_ATTRIBUTES = {
    "age_band": "age",
    "sex": "sex",
    "site": "anatomical site",
    "skin_type": "skin type",
}
_FEW = "*"


@dataclass(frozen=True)
class Rows:
    """Hold a table as text: its title, its header, and its rows."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def evaluation_rows(found: Evaluation) -> tuple[Rows, ...]:
    """Return the tables of an evaluation but the confusion, in the order they are shown."""
    tables = [_overview(found), _classes(found)]
    if found.models[0].subgroups:
        tables.append(_subgroups(found))
    tables += [_differences(one, _short_names(found)) for one in found.comparisons]
    return tuple(tables)


def evaluation_notes(found: Evaluation) -> tuple[str, ...]:
    """Return what a reader must know of the figures, in sentences."""
    notes = [
        "Brackets hold 95% intervals. Shares have Wilson's; the others are of a bootstrap, "
        f"stratified by class, {found.resamples} resamples for AUC and calibration error, "
        f"seed {found.seed}."
    ]
    if found.trained_on:
        notes.append(
            f"{found.trained_on} of the {found.images} images are of the dataset's training split: "
            "figures on images that a model was trained on say little about others."
        )
    few = [
        f"{_ATTRIBUTES.get(one.attribute, one.attribute)} {one.value} ({one.images})"
        for one in found.models[0].subgroups
        if not one.decidable
    ]
    if few:
        notes.append(
            f"Undecidable, since they have fewer than {found.min_images} images: {', '.join(few)}. "
            f"They are marked {_FEW}."
        )
    rare = [
        f"{one.label} ({one.images})"
        for one in found.models[0].classes
        if one.images < found.min_class_images
    ]
    if rare:
        notes.append(
            f"Classes with fewer than {found.min_class_images} images, marked {_FEW}, decide "
            f"nothing either: {', '.join(rare)}."
        )
    if not found.models[0].subgroups:
        notes.append("No table says of these images which age, sex, site or skin type they are of.")
    elif found.without_attributes:
        notes.append(f"Of {counted(found.without_attributes, 'image')} no subgroup is known.")
    if found.comparisons:
        notes.append("A difference is the second model minus the first, on the same images.")
    return tuple(notes)


def evaluation_tables(found: Evaluation) -> tuple[Table, ...]:
    """Return an evaluation for a terminal."""
    tables = []
    for rows in (*evaluation_rows(found), *_confusions(found)):
        table = Table(title=rows.title, title_justify="left")
        for place, column in enumerate(rows.header):
            table.add_column(column, justify="right" if place else "left", overflow="fold")
        for row in rows.rows:
            table.add_row(*row)
        tables.append(table)
    return tuple(tables)


def render_evaluation(found: Evaluation) -> str:
    """Return an evaluation as one self-contained HTML page."""
    return render(
        "evaluation.html.j2",
        title="Evaluation",
        date=None,
        facts=[
            ("images", f"{found.images}, {found.data}"),
            ("dataset", found.dataset_sha256),
            *((one.model, f"{_runtime(one.runtime, one.runtime_version)}") for one in found.models),
        ],
        notes=evaluation_notes(found),
        tables=evaluation_rows(found),
        confusions=[
            (f"Images by true and chosen class: {_short_names(found)[one.model]}", one.confusion)
            for one in found.models
        ],
        labels=list(found.labels),
    )


def _overview(found: Evaluation) -> Rows:
    models = found.models
    return Rows(
        f"{counted(found.images, 'image')} of {found.data}",
        ("figure", *_short_names(found).values()),
        (
            ("accuracy", *(_estimate(one.accuracy) for one in models)),
            ("balanced accuracy", *(_estimate(one.balanced_accuracy) for one in models)),
            ("AUC, mean over classes", *(_estimate(one.auc) for one in models)),
            ("calibration error", *(_estimate(one.calibration_error) for one in models)),
            ("runtime", *(_runtime(one.runtime, one.runtime_version) for one in models)),
            ("latency p50", *(_milliseconds(one.latency_ms_p50) for one in models)),
        ),
    )


def _classes(found: Evaluation) -> Rows:
    several, names = len(found.models) > 1, _short_names(found)
    return Rows(
        "By class (! critical)",
        ("class", "images", *(("model",) if several else ()), "recall", "precision", "AUC"),
        tuple(
            (
                f"{each.label}{' !' if each.critical else ''}"
                f"{_FEW if each.images < found.min_class_images else ''}",
                str(each.images),
                *((names[model.model],) if several else ()),
                _estimate(each.recall),
                _estimate(each.precision),
                _estimate(each.auc),
            )
            for k in range(len(found.labels))
            for model in found.models
            for each in (model.classes[k],)
        ),
    )


def _subgroups(found: Evaluation) -> Rows:
    several, names = len(found.models) > 1, _short_names(found)
    critical = [one.label for one in found.models[0].classes if one.critical]
    return Rows(
        "By subgroup",
        (
            "subgroup",
            "images",
            *(("model",) if several else ()),
            "accuracy",
            "balanced accuracy",
            *(f"recall of {label}" for label in critical),
        ),
        tuple(
            (
                f"{_ATTRIBUTES.get(group.attribute, group.attribute)}: {group.value}"
                f"{'' if group.decidable else _FEW}",
                str(group.images),
                *((names[model.model],) if several else ()),
                _estimate(group.accuracy),
                _estimate(group.balanced_accuracy),
                *(
                    _estimate(group.recall.get(label))
                    + (_FEW if label in group.undecidable_recall else "")
                    for label in critical
                ),
            )
            for place in range(len(found.models[0].subgroups))
            for model in found.models
            for group in (model.subgroups[place],)
        ),
    )


def _differences(one: ModelComparison, names: dict[str, str]) -> Rows:
    named: list[tuple[str, Difference | None]] = [
        ("accuracy", one.accuracy),
        ("balanced accuracy", one.balanced_accuracy),
        ("AUC, mean over classes", one.auc),
        ("calibration error", one.calibration_error),
        *((f"recall of {label}", each) for label, each in one.recall.items()),
        *(
            (
                f"accuracy, {_ATTRIBUTES.get(group.attribute, group.attribute)}: {group.value}"
                f"{'' if group.decidable else _FEW}",
                group.accuracy,
            )
            for group in one.subgroups
        ),
    ]
    agreement = _estimate(one.agreement)
    return Rows(
        f"{names[one.second]} minus {names[one.first]}; they choose the same class for {agreement}",
        ("figure", "difference", "p (McNemar)"),
        tuple(
            (name, _difference(each), "" if each.p is None else f"{each.p:.3f}")
            for name, each in named
            if each is not None
        ),
    )


def _confusions(found: Evaluation) -> tuple[Rows, ...]:
    return tuple(
        Rows(
            f"Images by true and chosen class: {_short_names(found)[one.model]}",
            ("true \\ chosen", *found.labels),
            tuple(
                (label, *(str(count) if count else NOTHING for count in counts))
                for label, counts in zip(found.labels, one.confusion, strict=True)
            ),
        )
        for one in found.models
    )


def _short_names(found: Evaluation) -> dict[str, str]:
    """Return for each model the fewest last parts of its path that no other one ends with."""
    paths = [PurePath(one.model).parts for one in found.models]
    for count in range(1, max(map(len, paths)) + 1):
        names = ["/".join(parts[-count:]) for parts in paths]
        if len(set(names)) == len(names):
            return {one.model: name for one, name in zip(found.models, names, strict=True)}
    return {one.model: one.model for one in found.models}


def _estimate(value: Estimate | None) -> str:
    if value is None:
        return NOTHING
    return f"{value.value:.3f} [{value.low:.3f}, {value.high:.3f}]"


def _difference(value: Difference) -> str:
    return f"{value.value:+.3f} [{value.low:+.3f}, {value.high:+.3f}]"


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.1f} ms"


def _runtime(name: str, version: str) -> str:
    return f"{name} {version}"
