"""Say in two sentences what hurts a network in 8 bits, and what would help it."""

from __future__ import annotations

from statistics import median

from pipeline.contract.layer_errors import DebugReport, LayerFigures
from pipeline.report.noise_sentences import WHAT_HELPS, noise_words
from pipeline.report.wording import amount

# Where a gate's default limit lies.
_FRAGILE = 0.95
_SATURATED = 0.01
# Of the int8 range.
_BEYOND = 0.1
_ENLARGED = 8.0
_UNEVEN = 32.0
# Of the median layer's difference alone, and of a probability.
_STANDS_OUT = 3.0
_MATTERS = 0.002
# How many layers from the input on the first roundings run through.
_FIRST = 4


def hurts_and_helps(found: DebugReport) -> tuple[str, ...]:
    """Return the noise floor where it was measured, what hurts most, and what would help."""
    noise = () if found.noise is None else (noise_words(found.noise),)
    return (*noise, *_diagnosis(found))


def _diagnosis(found: DebugReport) -> tuple[str, str]:
    """Return the first cause that applies, the model's own first, then the nearest to the input."""
    noise = found.noise
    if noise is not None and noise.largest.agreement < _FRAGILE:
        return (
            "What hurts: the float model itself changes its mind on "
            f"{amount(1 - noise.largest.agreement, 'share')} of the images when every pixel moves "
            "by one value of 255; 8 bits cannot be steadier.",
            f"What would help: {WHAT_HELPS}; or ship float16.",
        )
    worst = max(found.layers, key=_cut_share)
    if _cut_share(worst) > _SATURATED:
        return (
            f"What hurts: {worst.short_name} has {amount(worst.saturated_share, 'share')} of its "
            "values at an end of its int8 range, so what lies beyond is cut off.",
            "What would help: calibration images like those that are answered, and more of them "
            "(--representative).",
        )
    enlarging = max(found.layers[:_FIRST], key=lambda layer: layer.absolute_sum or 0.0)
    if (enlarging.absolute_sum or 0.0) > _ENLARGED and not _in_floats_up_to(found, enlarging):
        return (
            f"What hurts: {enlarging.short_name} can enlarge the rounding of what it reads "
            f"{enlarging.absolute_sum:.3g} times, near the input, where nothing after it can make "
            f"up for that{_alone_words(enlarging)}.",
            "What would help: the steps dither and float16-prefix, which --repair auto tries.",
        )
    uneven = max(found.layers, key=lambda layer: layer.weight_channel_ratio or 1.0)
    if (uneven.weight_channel_ratio or 1.0) > _UNEVEN:
        return (
            f"What hurts: the widest channel of {uneven.short_name} has weights "
            f"{uneven.weight_channel_ratio:.3g} times as large as its narrowest, whose activations "
            f"use few of the 8 bits they share{_alone_words(uneven)}.",
            "What would help: the step equalization, which --repair auto tries where ReLU6 or a "
            "linear layer allows it.",
        )
    measured = [layer for layer in found.layers if layer.alone is not None]
    if measured:
        return _by_layers_alone(measured)
    weakest = found.layers[found.weakest_first()[0]]
    shown = "no error" if weakest.sqnr_db is None else f"{weakest.sqnr_db:.1f} dB"
    return (
        f"What hurts: nothing stands out; the weakest layer is {weakest.short_name}, at {shown}.",
        "What would help: --repair max, which also tries the most sensitive layers in float16.",
    )


def _by_layers_alone(measured: list[LayerFigures]) -> tuple[str, str]:
    """Return what the layer costs that costs most when it alone is in 8 bits.

    Args:
        measured: layers whose `alone` is known, at least one.
    """
    differences = {layer.name: layer.alone or 0.0 for layer in measured}
    worst = max(measured, key=lambda layer: differences[layer.name])
    most, middle = differences[worst.name], median(differences.values())
    helps = "--repair max, which also tries the most sensitive layers in float16"
    if most > _STANDS_OUT * middle and most > _MATTERS:
        return (
            f"What hurts: {worst.short_name}, which alone in 8 bits changes the probabilities by "
            f"{most:.4f} on average, where the median layer changes them by {middle:.4f}.",
            f"What would help: {helps}.",
        )
    return (
        f"What hurts: nothing stands out; {worst.short_name} costs most, and alone in 8 bits "
        f"changes the probabilities by {most:.4f} on average.",
        f"What would help: {helps}.",
    )


def _alone_words(layer: LayerFigures) -> str:
    if layer.alone is None:
        return ""
    return f"; alone in 8 bits it changes the probabilities by {layer.alone:.4f} on average"


def _cut_share(layer: LayerFigures) -> float:
    """Return the share of values at an end that the float activation goes clearly beyond.

    A ReLU6 that reaches its 6 loses nothing, and a range of least squared error cuts off a little.
    """
    if layer.int8_low is None or layer.int8_high is None:
        return 0.0
    margin = _BEYOND * (layer.int8_high - layer.int8_low)
    beyond = (
        layer.float_high > layer.int8_high + margin or layer.float_low < layer.int8_low - margin
    )
    return layer.saturated_share if beyond else 0.0


def _in_floats_up_to(found: DebugReport, layer: LayerFigures) -> bool:
    """Return whether a layer and all before it were left in floats."""
    return all(one.in_floats for one in found.layers[: found.layers.index(layer) + 1])
