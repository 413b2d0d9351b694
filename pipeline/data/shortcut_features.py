"""Find shortcut features: what tells a class without a look at the lesion.

A network takes such a shortcut where it can (Geirhos et al. 2020, arXiv 2004.07780).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from pipeline.contract.dataset import Finding
from pipeline.data.intake import Item
from pipeline.data.scan import Scan

MOST = 0.9
FEW = 0.1


def shortcut_features(items: Sequence[Item], scans: Mapping[str, Scan]) -> tuple[Finding, ...]:
    """Report every class that a resolution, a file format or a source tells from the others.

    The rule: more than 90% of the images of the class have one value, and less than 10% of all
    other images have it. A model can then name the class without seeing a lesion.
    """
    attributes: tuple[tuple[str, Callable[[Item], str]], ...] = (
        ("resolution", lambda i: f"{scans[i.path].width_px}x{scans[i.path].height_px}"),
        ("format", lambda i: scans[i.path].format),
        ("source", lambda i: i.source),
    )
    return tuple(
        finding for name, value_of in attributes for finding in _shortcuts(name, value_of, items)
    )


def _shortcuts(name: str, value_of: Callable[[Item], str], items: Sequence[Item]) -> list[Finding]:
    images = Counter(item.label for item in items if item.label is not None)
    having = Counter((item.label, value_of(item)) for item in items if item.label is not None)
    everywhere = Counter(value_of(item) for item in items)
    findings = []
    for (label, value), count in sorted(having.items()):
        others = len(items) - images[label]
        elsewhere = everywhere[value] - count
        if count > MOST * images[label] and others and elsewhere < FEW * others:
            findings.append(
                Finding(
                    kind=f"shortcut_{name}",
                    message=f"{name} {value!r} is that of {count} of {images[label]} images of "
                    f"{label} and {elsewhere} of {others} others: a model can learn it instead "
                    "of the lesion",
                    count=count,
                    examples=tuple(
                        [i.path for i in items if i.label == label and value_of(i) == value][:5]
                    ),
                )
            )
    return findings
