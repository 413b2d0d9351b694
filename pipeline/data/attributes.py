"""Read from a row of a dataset's table which subgroups its image belongs to."""

from __future__ import annotations

import math
from collections.abc import Mapping

# What the published tables call a subgroup, the first column that is there counts: ISIC 2019 and
# the ISIC archive, HAM10000 (Tschandl et al. 2018), PAD-UFES-20 (Pacheco et al. 2020, whose
# spelling is kept).
_COLUMNS = {
    "sex": ("sex", "gender"),
    "site": ("anatom_site_general_challenge", "anatom_site_general", "localization", "region"),
    "skin_type": ("fitzpatrick_skin_type", "fitzpatrick", "fitspatrick", "skin_type"),
}
_AGE_COLUMNS = ("age_approx", "age")
_AGE_BANDS = ((30, "under 30"), (50, "30 to 49"), (70, "50 to 69"), (math.inf, "70 and over"))
_UNKNOWN = frozenset({"", "unknown", "na", "n/a", "nan", "none", "null"})


def attributes_of(row: Mapping[str, str]) -> dict[str, str]:
    """Return the subgroups of one row: `age_band`, `sex`, `site`, `skin_type` where known.

    Args:
        row: a table's row by column; ages are in years.
    """
    found = {name: _first(row, columns) for name, columns in _COLUMNS.items()}
    found["age_band"] = _age_band(_first(row, _AGE_COLUMNS))
    return {name: value for name, value in sorted(found.items()) if value}


def _first(row: Mapping[str, str], columns: tuple[str, ...]) -> str:
    for column in columns:
        value = row.get(column, "").strip()
        if value.lower() not in _UNKNOWN:
            return value.lower()
    return ""


def _age_band(text: str) -> str:
    try:
        years = float(text)
    except ValueError:
        return ""
    if not 0 <= years < math.inf:
        return ""
    return next(name for below, name in _AGE_BANDS if years < below)
