"""Look into a SavedModel folder without TensorFlow, and refuse what it could do but compute."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pipeline.classifier.facts import ModelFacts, ModelKind, OutputKind
from pipeline.classifier.safe_config import MAX_TOTAL_BYTES
from pipeline.classifier.saved_model_format import parse_saved_model
from pipeline.classifier.saved_model_operators import ALLOWED, OF_SAVER
from pipeline.contract.files import read_regular
from pipeline.errors import BadInput, reason_of

SIGNATURE = "serving_default"
_MAX_GRAPH_BYTES = 2**30
_MAX_FILES = 10_000
# tensorflow/core/framework/types.proto
_DTYPES = {
    1: "float32",
    2: "float64",
    3: "int32",
    4: "uint8",
    6: "int8",
    7: "string",
    9: "int64",
    14: "bfloat16",
    19: "float16",
}
_PASSED = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "StopGradient", "EnsureShape"})
_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
_COMPUTES = frozenset({"Conv2D", "MatMul", "DepthwiseConv2dNative", "BatchMatMulV2"})
_NEXT = (
    "save the model as a .keras file (model.save('model.keras')), or export it again with "
    "image operations of TensorFlow only"
)


def inspect_saved_model(path: Path) -> ModelFacts:
    """Return what the signature `serving_default` of a SavedModel folder takes and answers.

    Raises:
        BadInput: it is damaged, holds an operator that is not on the list, tables or assets,
            was saved by TensorFlow 1, or has no such signature.
    """
    where = str(path)
    size_bytes = _check_files(path)
    meta = _parse(path)
    functions = {_text(f.signature.name): f for f in meta.graph.library.functions}
    _check_operators(meta, functions, where)
    _check_objects(meta, where)
    signature = _signature(meta, where)
    inputs, outputs = list(signature.inputs), list(signature.outputs)
    entry = inputs[0].value if len(inputs) == 1 else None
    answer = outputs[0].value if len(outputs) == 1 else None
    answers = _sizes(answer)[-1] if answer is not None and _sizes(answer) else None
    return ModelFacts(
        kind=ModelKind.saved_model,
        size_bytes=size_bytes,
        keras_version=f"TensorFlow {_text(meta.info.tensorflow_version) or 'unknown'}",
        class_name="SavedModel",
        inputs=len(inputs),
        input_shape=_sizes(entry)[1:] if entry is not None and _sizes(entry) else None,
        input_dtype=None if entry is None else _DTYPES.get(entry.dtype, f"dtype {entry.dtype}"),
        outputs=answers,
        output=OutputKind.unknown if answer is None else _output(meta, functions, answer, answers),
        dtype_policies=_computed_dtypes(meta, functions),
    )


def _check_files(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()]
    total = sum(file.stat().st_size for file in files)
    if len(files) > _MAX_FILES or total > MAX_TOTAL_BYTES:
        raise BadInput(
            "the SavedModel folder is far too large",
            where=str(path),
            expected=f"at most {_MAX_FILES} files and {MAX_TOTAL_BYTES} bytes",
            got=f"{len(files)} files and {total} bytes",
        )
    if not (path / "variables" / "variables.index").is_file():
        raise BadInput(
            "the SavedModel folder has no weights",
            where=str(path),
            expected="variables/variables.index",
            next_step="copy the whole folder, with variables/",
        )
    return total


def _parse(path: Path) -> Any:
    from google.protobuf.message import DecodeError

    file = path / "saved_model.pb"
    try:
        if file.stat().st_size > _MAX_GRAPH_BYTES:
            raise BadInput("saved_model.pb is far too large", where=str(file))
        model = parse_saved_model(read_regular(file, max_bytes=_MAX_GRAPH_BYTES))
    except DecodeError as error:
        raise BadInput(
            "saved_model.pb is damaged", where=str(file), got=reason_of(error)
        ) from error
    except OSError as error:
        raise BadInput(
            "cannot read saved_model.pb", where=str(file), got=reason_of(error)
        ) from error
    if len(model.meta_graphs) != 1:
        raise BadInput(
            "the SavedModel does not hold one graph",
            where=str(path),
            expected="one, tagged serve",
            got=f"{len(model.meta_graphs)}",
        )
    meta = model.meta_graphs[0]
    if not meta.objects.nodes:
        raise BadInput(
            "the SavedModel is TensorFlow 1's, without an object graph",
            where=str(path),
            next_step="load it in TensorFlow 2 and save it again with tf.saved_model.save",
        )
    return meta


def _check_operators(meta: Any, functions: dict[str, Any], where: str) -> None:
    """Refuse every operator that is not on the list, wherever it is: some run when loading."""
    saver = _saver_functions(meta, functions)
    for name, nodes in _bodies(meta, functions):
        allowed = ALLOWED | OF_SAVER if name in saver else ALLOWED
        for node in nodes:
            operator = _text(node.op)
            if operator not in allowed:
                raise BadInput(
                    "the SavedModel holds an operator that is not let in; nothing in it was run",
                    where=where,
                    expected="operators that compute on images only",
                    got=f"{operator}, in {name or 'the graph'}",
                    next_step=_NEXT,
                )
    named = {_text(entry.key) for entry in meta.objects.functions}
    savers = _saver_nodes(meta)
    called = {
        callee
        for name, nodes in _bodies(meta, functions)
        if name not in saver
        for node in nodes
        if not (name == "" and _text(node.name) in savers)
        for callee in _callees(node)
    }
    if misused := sorted(saver & (named | called)):
        raise BadInput(
            "the SavedModel calls what saves and restores its variables; nothing in it was run",
            where=where,
            got=", ".join(misused),
            next_step=_NEXT,
        )


def _check_objects(meta: Any, where: str) -> None:
    """Refuse objects that bring functions to be run while the model is loaded."""
    for index, item in enumerate(meta.objects.nodes):
        for kind in ("asset", "resource"):
            if item.HasField(kind):
                raise BadInput(
                    "the SavedModel holds tables or files beside its weights",
                    where=where,
                    expected="variables only",
                    got=f"object {index} is a {kind}",
                    next_step=_NEXT,
                )
        if item.saveables or item.registered_name or item.registered_saver:
            raise BadInput(
                "the SavedModel restores an object by functions of its own",
                where=where,
                got=f"object {index} {_text(item.registered_name)}".strip(),
                next_step=_NEXT,
            )


def _signature(meta: Any, where: str) -> Any:
    found = {_text(entry.key): entry.value for entry in meta.signatures}
    if SIGNATURE not in found:
        names = sorted(name for name in found if not name.startswith("__"))
        raise BadInput(
            f"the SavedModel has no signature {SIGNATURE}",
            where=where,
            got=", ".join(names) or "no signature",
            next_step="model.export(FOLDER), or tf.saved_model.save(model, FOLDER, "
            f"signatures={{'{SIGNATURE}': function}})",
        )
    return found[SIGNATURE]


def _saver_nodes(meta: Any) -> set[str]:
    return {_text(name).split(":")[0] for name in (meta.saver.save_tensor, meta.saver.restore_op)}


def _saver_functions(meta: Any, functions: dict[str, Any]) -> set[str]:
    roots = _saver_nodes(meta)
    pending = [
        callee
        for node in meta.graph.nodes
        if _text(node.name) in roots
        for callee in _callees(node)
    ]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name in functions and name not in found:
            found.add(name)
            pending += [callee for node in functions[name].nodes for callee in _callees(node)]
    return found


def _bodies(meta: Any, functions: dict[str, Any]) -> Iterator[tuple[str, Iterable[Any]]]:
    yield "", meta.graph.nodes
    for name, function in functions.items():
        yield name, function.nodes


def _callees(node: Any) -> Iterator[str]:
    for entry in node.attributes:
        if entry.value.HasField("function"):
            yield _text(entry.value.function.name)
        for function in entry.value.many.functions:
            yield _text(function.name)


def _computed_dtypes(meta: Any, functions: dict[str, Any]) -> tuple[str, ...]:
    found = {
        _DTYPES.get(entry.value.type, f"dtype {entry.value.type}")
        for _, nodes in _bodies(meta, functions)
        for node in nodes
        if _text(node.op) in _COMPUTES
        for entry in node.attributes
        if entry.key == b"T"
    }
    return tuple(sorted(found))


def _output(meta: Any, functions: dict[str, Any], answer: Any, answers: int | None) -> OutputKind:
    """Follow the answer back to the operator that makes it, through the functions called."""
    nodes = {_text(node.name): node for node in meta.graph.nodes}
    reference = _text(answer.name)
    for _ in range(1000):
        name, *rest = reference.lstrip("^").split(":")
        node = nodes.get(name)
        if node is None:
            return OutputKind.unknown
        operator = _text(node.op)
        if operator in _CALLS:
            function = functions.get(next(iter(_callees(node)), ""))
            if function is None:
                return OutputKind.unknown
            position = int(rest[-1]) if rest and rest[-1].isdigit() else 0
            returns = {_text(entry.key): _text(entry.value) for entry in function.returns}
            outputs = [_text(argument.name) for argument in function.signature.outputs]
            if position >= len(outputs):
                return OutputKind.unknown
            reference = returns.get(outputs[position], "")
            nodes = {_text(inner.name): inner for inner in function.nodes}
        elif operator in _PASSED and node.inputs:
            reference = _text(node.inputs[0])
        else:
            break
    match operator:
        case "Softmax":
            return OutputKind.softmax
        case "Sigmoid":
            return OutputKind.sigmoid if answers == 1 else OutputKind.sigmoids
        case "BiasAdd" | "MatMul" | "Mean" | "AddV2":
            return OutputKind.logits
        case _:
            return OutputKind.unknown


def _sizes(tensor: Any) -> tuple[int | None, ...]:
    if tensor.shape.unknown_rank:
        return ()
    return tuple(None if size.size < 0 else int(size.size) for size in tensor.shape.sizes)


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
