"""Convert a family's Keras file to a float file that takes RGB with one mean and one std.

Child process only: TensorFlow.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.base import Frozen
from pipeline.contract.image import ImageContract
from pipeline.contract.normalization import UniformNormalization
from pipeline.export.input_adapter import adapt_input
from pipeline.progress import Report
from pipeline.tflite.edit import pack, unpack_whole
from tests.export.int8.operator_networks import float_bytes, pictures
from tests.families.catalog import BY_NAME


class FloatFileRequest(Frozen):
    """Ask for a family's float file at `out`: of a `.keras` file, or of its tiny network."""

    family: str
    keras: str | None
    size_px: int
    out: str


class FloatFileAnswer(Frozen):
    """Hold what the file takes."""

    normalization: UniformNormalization

    def image(self, size_px: int) -> ImageContract:
        """Return the contract of the file."""
        about = self.normalization
        return ImageContract(height_px=size_px, width_px=size_px, mean=about.mean, std=about.std)


def float_file_child(request: FloatFileRequest, report: Report) -> FloatFileAnswer:
    """Load or build the network, convert it, and adapt its input."""
    import keras

    from pipeline.imaging.keras_input import keras_input
    from tests.families.training import settle

    del report
    family, size_px = BY_NAME[request.family], request.size_px
    if request.keras is None:
        keras.utils.set_random_seed(1)
        model = family.build(size_px, 4, **family.tiny)
        settle(model, keras_input(pictures(64, size_px), family.wanted))
    else:
        model = keras.saving.load_model(request.keras, compile=False)
    data = float_bytes(model, ImageContract(height_px=size_px, width_px=size_px))
    adapted = adapt_input(unpack_whole(data, where=request.out), family.wanted)
    Path(request.out).write_bytes(pack(adapted.model))
    return FloatFileAnswer(normalization=adapted.normalization)
