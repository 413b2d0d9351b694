"""Name the operators of a graph and the oldest runtime that has them all."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.contract.base import Frozen
from pipeline.tflite.runtime_versions import version_key


class Operator(Frozen):
    """Count the uses of one operator at one version.

    `since` is the first TFLite runtime that has it, None where that is not known. A custom
    operator (Flex ones among them) goes by its custom name and is in no plain runtime.
    """

    name: str
    version: int
    count: int
    since: str | None
    custom: bool = False

    @property
    def key(self) -> str:
        """Return `NAME@version`."""
        return f"{self.name}@{self.version}"


class RuntimeNeed(Frozen):
    """State the oldest runtime that loads a file.

    `version` is None where `unknown` names operators (`NAME@version`) that the table lacks:
    nothing is guessed then. `because` names the operators that ask for this version.
    """

    version: str | None
    because: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


def oldest_runtime(operators: Iterable[Operator]) -> RuntimeNeed:
    """Return the oldest TFLite runtime that has every operator at its version."""
    listed = tuple(operators)
    unknown = tuple(operator.key for operator in listed if operator.since is None)
    known = {operator.key: operator.since for operator in listed if operator.since is not None}
    if unknown or not known:
        return RuntimeNeed(version=None, unknown=unknown)
    newest = max(known.values(), key=version_key)
    because = tuple(key for key, since in known.items() if since == newest)
    return RuntimeNeed(version=newest, because=because)
