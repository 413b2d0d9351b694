"""Propose which classes must never be lost, by the names of known malignancies."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.contract.labels import ISIC_2019

# Whole words of class names. Sources: WHO Classification of Tumours; the codes of ISIC 2019.
_NAMES = """
adenocarcinoma bcc cancer cancerous carcinoma carcinomas cholangiocarcinoma glioblastoma glioma
leukaemia leukemia lymphoma malignancy malignant medulloblastoma mel melanoma melanomas
mesothelioma metastases metastasis metastatic myeloma neuroblastoma retinoblastoma sarcoma scc
seminoma tumor tumour tumors tumours
"""
_MALIGNANT = frozenset(_NAMES.split())
# A tumour that is called benign is none of them.
_BENIGN = frozenset({"benign"})
_NEGATIONS = frozenset({"non", "no", "not", "without"})
# "notumor", "nonmelanoma" as one word are not in the list of whole words.
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
# So many of its codes mean that a label set follows ISIC 2019.
_OF_ISIC = 3


def proposed_critical(names: Iterable[str]) -> tuple[str, ...]:
    """Return the names that are those of a known malignancy, in their order.

    Words are compared whole and in any case: `malignant melanoma`, `Basal_Cell_Carcinoma`. A word
    after non, no, not or without does not count, and neither does a name with the word benign.

    Where melanoma (MEL) is among the names, and three or more or all of them are codes of ISIC
    2019, its own choice is kept for those codes: melanoma alone.
    """
    listed = tuple(names)
    codes = {code.lower(): code for code in ISIC_2019.names}
    of_isic = {name for name in listed if name.lower() in codes}
    with_melanoma = {codes[name.lower()] for name in of_isic}.issuperset(ISIC_2019.critical)
    keeps_isic = with_melanoma and len(of_isic) >= min(_OF_ISIC, len(listed))
    return tuple(
        name
        for name in listed
        if (
            codes[name.lower()] in ISIC_2019.critical
            if keeps_isic and name in of_isic
            else _is_malignant(name)
        )
    )


def _is_malignant(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(name)]
    if _BENIGN & set(words):
        return False
    before = ["", *words]
    return any(
        word in _MALIGNANT and previous not in _NEGATIONS
        for previous, word in zip(before, words, strict=False)
    )
