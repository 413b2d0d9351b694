"""Name the input conventions of Keras models; imports nothing, so that `--help` is fast."""

from __future__ import annotations

from enum import StrEnum


class NormalizationName(StrEnum):
    """Name the conventions that Keras models are trained with, as `keras.applications` calls them.

    tf: -1 to 1. unit: 0 to 1. raw: 0 to 255, for a model that scales inside. torch: 0 to 1, then
    ImageNet mean and standard deviation of each channel. caffe: BGR, minus the ImageNet mean.
    """

    tf = "tf"
    unit = "unit"
    raw = "raw"
    torch = "torch"
    caffe = "caffe"
