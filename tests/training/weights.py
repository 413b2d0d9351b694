"""Write random weights of a backbone. Child process only."""

from __future__ import annotations

import keras

from pipeline.progress import Report
from tests.training.questions import WeightsAnswer, WeightsRequest


def write_weights(request: WeightsRequest, report: Report) -> WeightsAnswer:
    base = keras.applications.MobileNetV2(
        input_shape=(request.size_px, request.size_px, 3),
        alpha=request.width,
        include_top=False,
        weights=None,
    )
    base.save_weights(request.file)
    return WeightsAnswer(arrays=len(base.weights))
