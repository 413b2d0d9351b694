"""Export a trained Keras image classifier to a TFLite file that carries its own proof.

For a script or a notebook: `pipeline.export`, `parity`, `verify`, `evaluate`, `predict` and
`load_bundle` do what the commands of these names do. They are loaded when they are first used,
TensorFlow never: it runs in child processes.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pipeline.api import evaluate as evaluate
    from pipeline.api import export as export
    from pipeline.api import load_bundle as load_bundle
    from pipeline.api import parity as parity
    from pipeline.api import predict as predict
    from pipeline.api import verify as verify

__version__ = "0.1.0"
__all__ = ["__version__", "evaluate", "export", "load_bundle", "parity", "predict", "verify"]

# These are packages too, which stay what they are and can be called.
_CALLABLE_PACKAGES = ("export", "parity")


class _CallablePackage(ModuleType):
    """Answer a call with the function of the same name in `pipeline.api`."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return getattr(import_module("pipeline.api"), self.__name__.rpartition(".")[2])(
            *arguments, **named
        )


class _Api(ModuleType):
    """Make the packages callable as the import system binds them here."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _CALLABLE_PACKAGES and isinstance(value, ModuleType):
            value.__class__ = _CallablePackage
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name in _CALLABLE_PACKAGES:
        return import_module(f"pipeline.{name}")
    if name in __all__:
        return getattr(import_module("pipeline.api"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


sys.modules[__name__].__class__ = _Api
