"""The steps of the check, in the order they run."""

from collections.abc import Callable

from checks.android_tests import robolectric
from checks.apk import apk
from checks.app import app_class_path
from checks.model_steps import arm64, core, host, model
from checks.mutants import mutants
from checks.shell import Step
from checks.shrink import shrink


def compile_app(step: Step) -> list[str]:
    """Compile core and the app against Android 14, with warnings as errors."""
    app_class_path(step)
    return []


# What each step is called, what it does, and what it does in words.
STEPS: dict[str, tuple[Callable[[Step], list[str]], str]] = {
    "core": (core, "core's unit tests"),
    "host": (host, "the app's core as a program of this machine, for `pipeline record`"),
    "arm64": (arm64, "the same with the arm64-v8a library, under emulation"),
    "compile": (compile_app, "core and the app against Android 14, warnings are errors"),
    "model": (model, "the bundle's goldens through the real library"),
    "mutants": (mutants, "core broken on purpose: the goldens must notice"),
    "robolectric": (robolectric, "the app's own tests on Android 14 and 15"),
    "shrink": (shrink, "R8 as in a release, and the tests again on what it leaves"),
    "apk": (apk, "a signed APK, and what a phone and the store want of it"),
}
