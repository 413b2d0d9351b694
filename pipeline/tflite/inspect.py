"""Look at a `.tflite` file as a whole, without TensorFlow and without running it."""

from __future__ import annotations

from pathlib import Path

from pipeline.contract.base import Frozen
from pipeline.contract.hashing import sha256_bytes
from pipeline.contract.image import ImageContract
from pipeline.contract.manifest import TensorInfo
from pipeline.tflite.flatbuffer import read_file, unpack
from pipeline.tflite.graph import Graph, describe
from pipeline.tflite.metadata import ModelMetadata, image_contract, metadata_of
from pipeline.tflite.operators import Operator, RuntimeNeed, oldest_runtime


class Inspection(Frozen):
    """Hold everything a `.tflite` file says about itself.

    `runtime` follows from the operator versions; `graph.converter_min_runtime` is what the
    converter wrote, which passes over versions it does not know.
    """

    path: str
    sha256: str
    size_bytes: int
    graph: Graph
    metadata: ModelMetadata | None
    runtime: RuntimeNeed

    @property
    def operators(self) -> tuple[Operator, ...]:
        """Return the operators of the graph, by name and version."""
        return self.graph.operators

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels packed in the file, in output order; empty where there are none."""
        output = self.metadata.output if self.metadata else None
        return output.labels if output else ()

    @property
    def outside_int8(self) -> tuple[str, ...]:
        """Return the operators (`NAME@version`) that are custom or work on floats."""
        found = [*self.graph.custom_operators, *self.graph.float_operators]
        return tuple(sorted({operator.key for operator in found}))

    def image_contract(self) -> ImageContract:
        """Derive the image contract from the file.

        Raises:
            BadInput: the file does not say enough, or is not an RGB image classifier.
        """
        return image_contract(self.graph, self.metadata, where=self.path)

    def facts(self) -> list[tuple[str, str]]:
        """Return what a person wants to see first, as names and values."""
        graph, about = self.graph, self.metadata
        need = self.runtime
        rows = [("size", f"{self.size_bytes:,} bytes"), ("sha256", self.sha256)]
        rows += [("input", tensor_text(info)) for info in graph.inputs]
        rows += [("output", tensor_text(info)) for info in graph.outputs]
        rows += [
            ("signature", f"{s.key}: {', '.join(s.inputs)} -> {', '.join(s.outputs)}")
            for s in graph.signatures
        ]
        rows += [
            ("weights", f"{size:,} bytes of {dtype}") for dtype, size in graph.weight_bytes.items()
        ]
        rows.append(("per-channel tensors", str(graph.per_channel_tensors)))
        rows.append(
            (
                "oldest TFLite runtime",
                f"{need.version}, for {', '.join(need.because)}"
                if need.version
                else f"unknown, for {', '.join(need.unknown) or 'want of operators'}",
            )
        )
        rows.append(("converter's own claim", graph.converter_min_runtime or "none"))
        rows.append(("outside int8", ", ".join(self.outside_int8) or "no operator"))
        if about is None:
            return [*rows, ("metadata", "none")]
        rows += [
            ("name", about.name),
            ("description", about.description),
            ("version", about.version),
            ("author", about.author),
            ("license", about.license),
            ("metadata parser", about.min_parser_version),
        ]
        if about.input:
            mean, std = _joined(about.input.mean), _joined(about.input.std)
            rows.append(("normalization", f"{about.input.color}, mean {mean}, std {std}"))
        rows.append(("labels", ", ".join(self.labels) or "none"))
        if about.output and about.output.display_names:
            rows.append(("full names", ", ".join(about.output.display_names)))
        return rows


def tensor_text(info: TensorInfo) -> str:
    """Return a tensor in one line: name, type, shape and, where quantized, its parameters."""
    shape = "x".join(str(size) for size in info.shape)
    line = f"{info.name} {info.dtype} {shape}"
    if info.scale is None:
        return line
    return f"{line}, scale {info.scale:.8g}, zero point {info.zero_point}"


def inspect_file(path: Path) -> Inspection:
    """Read a `.tflite` file: graph, quantization, metadata, operator versions, sizes.

    Raises:
        BadInput: the file cannot be read, is not a TFLite file, or is damaged.
    """
    return inspect_bytes(read_file(path), where=str(path))


def inspect_bytes(data: bytes, *, where: str) -> Inspection:
    """Read the bytes of a `.tflite` file; see `inspect_file`.

    Raises:
        BadInput: not a TFLite file, or damaged.
    """
    model = unpack(data, where=where)
    graph = describe(model, data)
    return Inspection(
        path=where,
        sha256=sha256_bytes(data),
        size_bytes=len(data),
        graph=graph,
        metadata=metadata_of(model, data, where=where),
        runtime=oldest_runtime(graph.operators),
    )


def _joined(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "none"
