"""Put into words what the reference gate found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.report.wording import amount, joined

_FED = {
    "tf": "-1 to 1",
    "unit": "0 to 1",
    "raw": "0 to 255",
    "torch": "0 to 1 less the ImageNet mean of each channel (torch)",
    "caffe": "BGR less the ImageNet mean of each channel (caffe)",
}


def _fed(name: Any) -> str:
    known, _, order = str(name).partition(" in ")
    return f"{_FED.get(known, known)}{f', in {order}' if order else ''}"


def _input_convention(e: Mapping[str, Any]) -> str:
    better = e["better"]
    if better:
        return (
            f"right on {amount(better['accuracy'], 'share')} of {better['images']} images when fed "
            f"{_fed(better['name'])}, on {amount(better['stated_accuracy'], 'share')} as stated "
            f"({_fed(e['stated'])}), exact McNemar p = {better['p']:.2g}; say {better['option']}"
        )
    tried = joined(
        (f"{one['name']} {amount(one['accuracy'], 'share')}" for one in e["compared"]), "none"
    )
    return f"stated: {_fed(e['stated'])}; no other is clearly better ({tried})"


def _label_order(e: Mapping[str, Any]) -> str:
    if e["order"]:
        return (
            f"right on {amount(e['accuracy'], 'share')} of {e['images']} images with the labels "
            f"in another order, on {amount(e['stated_accuracy'], 'share')} as stated; say "
            f"--labels {','.join(map(str, e['order']))}"
        )
    return "no other order of the labels is clearly better"


def _largest_class(e: Mapping[str, Any]) -> str:
    low, high = e["accuracy_95"]
    return (
        f"the reference is right on {amount(e['accuracy'], 'share')} of {e['images']} images (95% "
        f"Wilson interval {low:.3f} to {high:.3f}); always answering {e['label']} would be right "
        f"on {amount(e['share'], 'share')}, exact McNemar p = {e['p']:.2g}"
    )


def _reference_accuracy(e: Mapping[str, Any]) -> str:
    low, high = e["accuracy_95"]
    return (
        f"the reference is right on {amount(e['accuracy'], 'share')} of {e['images']} images, 95% "
        f"Wilson interval {low:.3f} to {high:.3f}"
    )


REFERENCE_SENTENCES: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "input_convention": _input_convention,
    "label_order": _label_order,
    "largest_class": _largest_class,
    "reference_accuracy": _reference_accuracy,
}
