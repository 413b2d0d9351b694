from __future__ import annotations

import pytest

from pipeline.contract.labels import Labels
from pipeline.contract.verdict import Gate
from pipeline.parity.expectation import expected_checks
from pipeline.parity.judge import judge_recordings
from pipeline.parity.thresholds import Thresholds
from tests.parity.recordings import LABELS, pair

TRUTH = [0, 1, 2] * 20


@pytest.mark.parametrize("critical", [(), ("MEL",), ("BCC", "MEL")])
@pytest.mark.parametrize("unlabelled", [False, True])
def test_the_checks_are_those_that_the_gates_make(
    critical: tuple[str, ...], unlabelled: bool
) -> None:
    labels = Labels(names=LABELS, critical=critical)
    truth = [-1] * len(TRUTH) if unlabelled else TRUTH
    reference, candidate = pair(truth, TRUTH, TRUTH)
    made = judge_recordings(
        reference,
        candidate,
        Thresholds(),
        critical=() if unlabelled else critical,
        unlabelled=unlabelled,
    )
    expected = expected_checks(labels, Thresholds(), unlabelled=unlabelled)
    assert [(c.name, c.unit, c.comparison) for c in expected if c.gate is not Gate.reference] == [
        (c.name, c.unit, c.comparison) for c in made.checks
    ]


def test_what_excuses_is_expected_of_the_gate_that_measures_noise() -> None:
    limits = Thresholds(accept_fragile=True)
    plain, noisy = (
        {
            c.name: c
            for c in expected_checks(Labels(names=LABELS), limits, unlabelled=False, noise=n)
        }
        for n in (False, True)
    )
    assert plain.keys() == noisy.keys()
    assert {name for name, c in noisy.items() if "own_noise" in c.evidence} == {"top1_agreement"}
    assert "unless" not in plain["top1_agreement"].evidence
    assert noisy["top1_agreement"].evidence["unless"] == {"kind": "own_noise_accepted"}


def test_a_floor_of_the_reference_is_a_check_of_its_own() -> None:
    labels = Labels(names=LABELS)
    floor = Thresholds(min_reference_accuracy=0.5)
    plain, asked = (
        [c.name for c in expected_checks(labels, limits, unlabelled=False)]
        for limits in (Thresholds(), floor)
    )
    assert set(asked) - set(plain) == {"reference_accuracy"}


def test_thousands_of_classes_are_no_matter() -> None:
    labels = Labels(names=tuple(f"class-{i}" for i in range(10_000)), critical=("class-9999",))
    names = [c.name for c in expected_checks(labels, Thresholds(), unlabelled=False)]
    assert "critical_recall_drop:class-9999" in names
