"""Hold the facts of MobileNetV2."""

from __future__ import annotations

from pipeline.training.backbones import backbone


def test_its_input_is_from_minus_one_to_one_in_multiples_of_32() -> None:
    member = backbone("mobilenet_v2")
    assert (member.mean, member.std, member.size_multiple_px) == (127.5, 127.5, 32)
    assert member.trunk_output == "block_6_project_BN"
