"""Describe the parts of `saved_model.pb` that are read, as protobuf messages of our own.

TensorFlow's generated classes come only with TensorFlow, which takes seconds to start. Numbers and
types are those of `tensorflow/core/protobuf/saved_model.proto` and what it imports; fields that
are not listed are skipped.
"""

from __future__ import annotations

from functools import cache
from typing import Any

_PACKAGE = "pipeline.classifier"
_TEXT, _NUMBER = "string", "int64"
# Message: field: (number, type, repeated). A type that is no scalar is a message of this table.
_MESSAGES: dict[str, dict[str, tuple[int, str, bool]]] = {
    "SavedModel": {"meta_graphs": (2, "MetaGraph", True)},
    "MetaGraph": {
        "info": (1, "Info", False),
        "graph": (2, "Graph", False),
        "saver": (3, "Saver", False),
        "signatures": (5, "SignatureEntry", True),
        "objects": (7, "ObjectGraph", False),
    },
    "Info": {"tags": (4, _TEXT, True), "tensorflow_version": (5, _TEXT, False)},
    "Saver": {"save_tensor": (2, _TEXT, False), "restore_op": (3, _TEXT, False)},
    "Graph": {"nodes": (1, "Node", True), "library": (2, "Library", False)},
    "Library": {"functions": (1, "Function", True)},
    "Function": {
        "signature": (1, "OpDef", False),
        "nodes": (3, "Node", True),
        "returns": (4, "TextEntry", True),
    },
    "OpDef": {"name": (1, _TEXT, False), "outputs": (3, "OpArgument", True)},
    "OpArgument": {"name": (1, _TEXT, False)},
    "TextEntry": {"key": (1, _TEXT, False), "value": (2, _TEXT, False)},
    "Node": {
        "name": (1, _TEXT, False),
        "op": (2, _TEXT, False),
        "inputs": (3, _TEXT, True),
        "attributes": (5, "AttributeEntry", True),
    },
    "AttributeEntry": {"key": (1, _TEXT, False), "value": (2, "Attribute", False)},
    "Attribute": {
        "many": (1, "AttributeList", False),
        "type": (6, _NUMBER, False),
        "function": (10, "NamedFunction", False),
    },
    "AttributeList": {"functions": (9, "NamedFunction", True)},
    "NamedFunction": {"name": (1, _TEXT, False)},
    "SignatureEntry": {"key": (1, _TEXT, False), "value": (2, "Signature", False)},
    "Signature": {"inputs": (1, "TensorEntry", True), "outputs": (2, "TensorEntry", True)},
    "TensorEntry": {"key": (1, _TEXT, False), "value": (2, "Tensor", False)},
    "Tensor": {
        "name": (1, _TEXT, False),
        "dtype": (2, _NUMBER, False),
        "shape": (3, "Shape", False),
    },
    "Shape": {"sizes": (2, "Size", True), "unknown_rank": (3, "bool", False)},
    "Size": {"size": (1, _NUMBER, False)},
    "ObjectGraph": {"nodes": (1, "Object", True), "functions": (2, "FunctionEntry", True)},
    "FunctionEntry": {"key": (1, _TEXT, False)},
    "Object": {
        "asset": (5, "Empty", False),
        "resource": (10, "Empty", False),
        "saveables": (11, "Empty", True),
        "registered_name": (13, _TEXT, False),
        "registered_saver": (16, _TEXT, False),
    },
    "Empty": {},
}


def parse_saved_model(data: bytes) -> Any:
    """Return the message `SavedModel` of this module's table.

    Raises:
        google.protobuf.message.DecodeError: the bytes are no such message.
    """
    return _saved_model_class().FromString(data)


@cache
def _saved_model_class() -> Any:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    scalar = descriptor_pb2.FieldDescriptorProto
    types = {_TEXT: scalar.TYPE_BYTES, _NUMBER: scalar.TYPE_INT64, "bool": scalar.TYPE_BOOL}
    file = descriptor_pb2.FileDescriptorProto(name="saved_model_parts.proto", package=_PACKAGE)
    file.syntax = "proto3"
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind, repeated) in fields.items():
            field = message.field.add(name=field_name, number=number)
            field.label = scalar.LABEL_REPEATED if repeated else scalar.LABEL_OPTIONAL
            if kind in types:
                field.type = types[kind]
            else:
                field.type = scalar.TYPE_MESSAGE
                field.type_name = f".{_PACKAGE}.{kind}"
    # A pool of its own, so that nothing of TensorFlow's is registered twice.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.SavedModel"))
