"""Hold the ordered label set; its order is the model's output order."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import Field, field_validator, model_validator

from pipeline.contract.base import Frozen
from pipeline.errors import BadInput

# One line each in labels.txt, so a label is a plain word.
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.+-]*")


class Labels(Frozen):
    """List the class names in output order, with those that must never be lost.

    `critical` names the classes whose recall is gated on its own. `full_names` maps a label to
    what a person reads, one line of text; labels missing there are shown as they are.
    """

    names: tuple[str, ...] = Field(min_length=2, max_length=10_000)
    critical: tuple[str, ...] = ()
    full_names: dict[str, str] = Field(default_factory=dict)

    @field_validator("names")
    @classmethod
    def _clean(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if not _LABEL.fullmatch(name) or name != name.strip():
                raise ValueError(f"label {name!r} is not a plain word")
        if len(set(names)) != len(names):
            repeated = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"labels repeat: {', '.join(repeated)}")
        return names

    @field_validator("full_names")
    @classmethod
    def _lines(cls, full_names: dict[str, str]) -> dict[str, str]:
        for label, name in full_names.items():
            # Files list them a line each, and whoever reads those strips them.
            if not name or name != name.strip() or name.splitlines() != [name]:
                raise ValueError(f"the full name {name!r} of {label} is not one line of text")
        return full_names

    @model_validator(mode="after")
    def _known(self) -> Labels:
        for field, values in (("critical", self.critical), ("full_names", self.full_names)):
            unknown = [value for value in values if value not in self.names]
            if unknown:
                raise ValueError(f"{field} names unknown labels: {', '.join(unknown)}")
        return self

    def __len__(self) -> int:
        return len(self.names)

    def index(self, name: str) -> int:
        """Return the output index of `name`.

        Raises:
            ValueError: `name` is not a label.
        """
        return self.names.index(name)

    def with_critical(self, names: tuple[str, ...] | None, *, where: str) -> Labels:
        """Return the labels with these classes critical; as they are where `names` is None.

        Raises:
            BadInput: a name is no label; `where` says what stated it.
        """
        if names is None:
            return self
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise BadInput(
                "a critical class is not among the labels",
                where=where,
                expected=", ".join(self.names),
                got=", ".join(unknown),
            )
        return self.model_copy(update={"critical": tuple(dict.fromkeys(names))})

    def refuse_unknown(self, names: Iterable[str], noun: str) -> None:
        """Refuse what is stated of a class that the model does not have.

        Args:
            names: the classes it is stated of.
            noun: what is stated, with its article.

        Raises:
            BadInput: a name is no label.
        """
        unknown = [name for name in names if name not in self.names]
        if unknown:
            raise BadInput(
                f"{noun} is of a class that the model does not have",
                expected=f"one of {', '.join(self.names)}",
                got=", ".join(unknown),
            )

    def full_name(self, name: str) -> str:
        """Return what a person reads for `name`."""
        return self.full_names.get(name, name)

    def text(self) -> str:
        """Return the content of labels.txt: one label a line, in output order."""
        return "".join(f"{name}\n" for name in self.names)

    def full_names_text(self) -> str:
        """Return what a person reads for each label, one a line, in output order."""
        return "".join(f"{self.full_name(name)}\n" for name in self.names)


# ISIC 2019 challenge, task 1: the names and the column order of its ground truth.
ISIC_2019 = Labels(
    names=("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC"),
    critical=("MEL",),
    full_names={
        "MEL": "Melanoma",
        "NV": "Melanocytic nevus",
        "BCC": "Basal cell carcinoma",
        "AK": "Actinic keratosis",
        "BKL": "Benign keratosis",
        "DF": "Dermatofibroma",
        "VASC": "Vascular lesion",
        "SCC": "Squamous cell carcinoma",
    },
)
