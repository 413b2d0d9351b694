from __future__ import annotations

import pytest

from pipeline.contract.labels import ISIC_2019
from pipeline.contract.malignancy import proposed_critical

RENAMED = ("MEL", "NV", "BCC", "AK", "keratosis", "DF", "VASC", "SCC")


@pytest.mark.parametrize(
    ("names", "critical"),
    [
        (ISIC_2019.names, ISIC_2019.critical),
        (RENAMED, ("MEL",)),
        (("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"), ("mel",)),
        (("MEL", "NV", "BCC", "lung carcinoma"), ("MEL", "lung carcinoma")),
        (("MEL", "other"), ("MEL",)),
        (("MEL", "BCC"), ("MEL",)),
        (("BCC", "AK", "SCC"), ("BCC", "SCC")),
        (("BCC", "SCC", "healthy"), ("BCC", "SCC")),
        (("benign", "malignant"), ("malignant",)),
        (("Malignant melanoma", "nevus"), ("Malignant melanoma",)),
        (("Basal_Cell_Carcinoma", "SquamousCellCarcinoma"), None),
        (("melanocytic nevus", "melanosis"), ()),
        (("no cancer", "cancer"), ("cancer",)),
        (("non-cancer", "non_malignant", "NotCancer"), ()),
        (("nonmelanoma", "notumor"), ()),
        (("non-melanoma skin cancer", "nevus"), ("non-melanoma skin cancer",)),
        (("benign tumor", "tumor"), ("tumor",)),
        (("glioma", "meningioma", "no_tumor", "pituitary"), ("glioma",)),
        (("cats", "dogs", "caramel", "scc2"), ("scc2",)),
        (("precancerous", "carcinomatous"), ()),
        (("METASTASIS", "none"), ("METASTASIS",)),
        ((), ()),
    ],
)
def test_malignancies_are_proposed_by_whole_words(
    names: tuple[str, ...], critical: tuple[str, ...] | None
) -> None:
    assert proposed_critical(names) == (names if critical is None else critical)
