"""Answer one image with several files through LiteRT."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.imaging.preprocess import load_resized_pixels, normalize
from pipeline.progress import Report
from tests.export.samples import IMAGE


def answer_child(request: dict[str, Any], report: Report) -> dict[str, Any]:
    """Return the dequantized probabilities of each model."""
    from ai_edge_litert.interpreter import Interpreter

    levels = load_resized_pixels(Path(request["image"]), IMAGE)
    answers = {}
    for name, path in request["models"].items():
        runner = Interpreter(model_path=path).get_signature_runner("serving_default")
        (about,) = runner.get_input_details().values()
        (result,) = runner.get_output_details().values()
        value = normalize(levels, IMAGE)[None]
        if about["dtype"] != np.float32:
            offset = 128 if about["dtype"] == np.int8 else 0
            value = (levels.astype(np.int16) - offset).astype(about["dtype"])[None]
        row = runner(image=value)["probability"][0].astype(np.float64)
        scale, zero = result["quantization"]
        answers[name] = ((row - zero) * scale if scale else row).tolist()
    return answers
