"""Name input conventions, and those that may have been meant instead."""

from __future__ import annotations

import pytest

from pipeline.contract.normalization import Normalization, NormalizationName


@pytest.mark.parametrize("name", list(NormalizationName))
def test_swapping_twice_changes_nothing_and_each_colour_keeps_its_numbers(
    name: NormalizationName,
) -> None:
    one = Normalization.named(name)
    swapped = one.swapped()
    assert swapped.swapped() == one
    assert {one.channels, swapped.channels} == {"RGB", "BGR"}
    assert (swapped.mean, swapped.std) == (one.mean[::-1], one.std[::-1])


def test_the_options_of_a_swapped_convention_name_it() -> None:
    assert Normalization().swapped().option() == "--normalization tf --channels BGR"
    caffe = Normalization.named(NormalizationName.caffe)
    assert caffe.swapped().option() == "--normalization caffe --channels RGB"
    own = Normalization(mean=(1, 2, 3), std=(4, 5, 6)).swapped()
    assert own.option() == "--mean 3,2,1 --std 6,5,4 --channels BGR"


def test_others_are_the_known_ones_and_the_swapped_one() -> None:
    for name in NormalizationName:
        one = Normalization.named(name)
        others = one.others()
        assert one not in others
        assert len(others) == len({*others}) == len(NormalizationName)
        assert one.swapped() in others
    own = Normalization(mean=(1, 2, 3), std=(4, 5, 6))
    assert len(own.others()) == len(NormalizationName) + 1
    # Red and blue swapped is a known one's own counterpart only once.
    assert len(Normalization().swapped().others()) == len(NormalizationName)
