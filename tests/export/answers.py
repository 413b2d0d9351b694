"""Answer one image with several files through LiteRT."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pipeline.contract.base import Frozen
from pipeline.imaging.preprocess import load_resized_pixels, normalize
from pipeline.progress import Report
from tests.export.samples import IMAGE


class AnswerRequest(Frozen):
    """Ask each `.tflite` file, by name, for one image."""

    models: dict[str, Path]
    image: Path


class Rows(Frozen):
    """Hold the dequantized probabilities of each model, by its name."""

    rows: dict[str, tuple[float, ...]]


def answer_child(request: AnswerRequest, report: Report) -> Rows:
    """Return the dequantized probabilities of each model."""
    from ai_edge_litert.interpreter import Interpreter

    pixels = load_resized_pixels(request.image, IMAGE)
    rows = {}
    for name, path in request.models.items():
        runner = Interpreter(model_path=str(path)).get_signature_runner("serving_default")
        (about,) = runner.get_input_details().values()
        (result,) = runner.get_output_details().values()
        value = normalize(pixels, IMAGE)[None]
        if about["dtype"] != np.float32:
            offset = 128 if about["dtype"] == np.int8 else 0
            value = (pixels.astype(np.int16) - offset).astype(about["dtype"])[None]
        row = runner(image=value)["probability"][0].astype(np.float64)
        scale, zero = result["quantization"]
        rows[name] = tuple(((row - zero) * scale if scale else row).tolist())
    return Rows(rows=rows)
