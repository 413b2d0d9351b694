"""Write random weights of a backbone. Child process only."""

from __future__ import annotations

import keras

from pipeline.progress import Report
from pipeline.training.backbones import backbone
from tests.training.questions import WeightsAnswer, WeightsRequest


def write_weights(request: WeightsRequest, report: Report) -> WeightsAnswer:
    inputs = keras.Input((request.size_px, request.size_px, 3))
    base = backbone(request.backbone).build(inputs, request.width, None)
    base.save_weights(request.file)
    return WeightsAnswer(arrays=len(base.weights))
