"""Make native libraries loadable that expect the system to provide their dependencies."""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.errors import EnvironmentProblem, reason_of

_TASK_LIBRARY_PACKAGES = ("tflite-support", "libusb-package")
# With protobuf 5, tflite_support's generated code needs the pure-Python implementation.
TFLITE_SUPPORT_ENV = {"PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"}


@contextmanager
def without_tensorflow() -> Iterator[None]:
    """Make libraries that import TensorFlow where they find it go without, inside the block.

    tflite_support cannot share a process with it; MediaPipe starts five times faster.
    """
    sys.modules["tensorflow"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.modules.pop("tensorflow", None)


def install_hint(package: str) -> str:
    """Return what to do where the package of a runtime is not installed."""
    if package not in _TASK_LIBRARY_PACKAGES:
        return "install the locked environment with `uv sync --locked`"
    if (sys.platform, platform.machine()) == ("linux", "x86_64") and sys.version_info < (3, 12):
        return "install the extra `task-library`: `uv sync --locked --extra task-library`"
    return (
        "use --runtime mediapipe: tflite-support has wheels for Python 3.11 on Linux x86-64 only, "
        f"and this is Python {platform.python_version()} on {sys.platform} {platform.machine()}"
    )


def prepare_tflite_support() -> None:
    """Make `import tflite_support` work in this process, without TensorFlow.

    Its binding needs libusb-1.0, which a fresh Linux lacks and the libusb-package wheel ships;
    and it imports TensorFlow where it finds it, which then cannot share the process.

    Raises:
        EnvironmentProblem: the library or the package cannot be loaded.
    """
    try:
        import libusb_package

        ctypes.CDLL(str(libusb_package.get_library_path()), mode=ctypes.RTLD_GLOBAL)
        with without_tensorflow():
            import tflite_support  # noqa: F401
    except (ImportError, OSError) as error:
        raise EnvironmentProblem(
            "tflite-support cannot be loaded",
            got=reason_of(error),
            next_step=install_hint("tflite-support"),
        ) from error
