"""Name the kinds of operators that int8 treats each in its own manner."""

from __future__ import annotations

# They have weights, quantized per output channel or as a whole.
WEIGHTED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# They turn one type of tensor into another and compute nothing.
CONVERSIONS = frozenset({"QUANTIZE", "DEQUANTIZE"})
