"""Say and draw what a bundle's decision was chosen for."""

from __future__ import annotations

import numpy as np

from pipeline.contract.chosen import ChosenDecision, DecisionAsked
from pipeline.parity.choosing import choose, risk_coverage
from pipeline.report.decision_plot import risk_coverage_curves
from pipeline.report.decision_words import chosen_facts
from pipeline.report.run_report import RiskCoverage

TRUTH = np.array([0] * 20 + [1] * 20)
SCORES = np.linspace(0.9, 0.2, 40, dtype=np.float32)
ROWS = np.stack([SCORES, 1 - SCORES], axis=1)


def chosen(**asked: object) -> ChosenDecision:
    return choose(TRUTH, ROWS, ("MEL", "NV"), DecisionAsked.model_validate(asked))


def test_a_sensitivity_is_said_with_what_it_costs_and_whether_it_can_be_promised() -> None:
    ((name, value),) = chosen_facts(chosen(sensitivity={"MEL": 0.9}))
    assert name == "sensitivity of MEL"
    assert "at least 0.9 asked; sensitivity 0.900 (18 of 20, 95% interval 0.699 to 0.972)" in value
    assert "specificity 1.000 (20 of 20" in value
    assert "20 images of it are too few to promise that" in value
    assert value.endswith("chosen on 40 validation images")


def test_a_band_is_said_with_its_coverage_and_risk() -> None:
    ((name, value),) = chosen_facts(chosen(unsure_risk=0.1, unsure_coverage=0.5))
    assert name == "unsure band"
    assert "a risk of at most 0.1 with a coverage of at least 0.5 asked" in value
    assert "wrong of those answered" in value
    ((_, all_answered),) = chosen_facts(chosen(unsure_risk=0.99))
    assert "no answer need be unsure for it" in all_answered
    assert chosen_facts(None) == []


def test_the_curve_is_drawn_of_each_side() -> None:
    curve = RiskCoverage(*risk_coverage(TRUTH, ROWS))
    drawn = risk_coverage_curves({"reference": curve, "candidate": curve}, None)
    assert drawn is not None
    assert drawn.count("thin line") == 2
    assert f"reference {100 * curve.risk[-1]:.1f}% where all are given" in drawn
    assert risk_coverage_curves({}, None) is None
