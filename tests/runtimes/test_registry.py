"""The list of runtimes: every name is described, by light files that open nothing."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.contract.choices import RuntimeName
from pipeline.errors import BadInput
from pipeline.runtimes.registry import describe
from tests.test_architecture import HEAVY, ROOT


@pytest.mark.parametrize("name", RuntimeName)
def test_every_name_is_described_by_its_own_file(name: RuntimeName) -> None:
    described = describe(name)
    assert described.name is name
    assert described.title


def test_every_file_that_describes_a_runtime_has_a_name_in_the_list() -> None:
    files = (ROOT / "pipeline" / "runtimes").glob("*.py")
    describing = {file.stem for file in files if "\nRUNTIME = " in file.read_text("utf-8")}
    assert describing == {name.name for name in RuntimeName}
    assert len({describe(name).title for name in RuntimeName}) == len(RuntimeName)


def test_describing_every_runtime_imports_none() -> None:
    code = (
        "import sys\n"
        "from pipeline.contract.choices import RuntimeName\n"
        "from pipeline.runtimes.registry import describe\n"
        "for name in RuntimeName: describe(name)\n"
        f"sys.exit(str([name for name in {HEAVY!r} if name in sys.modules] or ''))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.strip() == ""


def test_a_file_of_another_runtime_is_not_taken_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import pipeline.runtimes.litert
    import pipeline.runtimes.mediapipe

    monkeypatch.setattr(pipeline.runtimes.mediapipe, "RUNTIME", pipeline.runtimes.litert.RUNTIME)
    with pytest.raises(TypeError, match="does not describe mediapipe"):
        describe(RuntimeName.mediapipe)


def test_threads_are_what_the_runtime_uses() -> None:
    assert describe(RuntimeName.litert).threads_used(4) == 4
    assert describe(RuntimeName.mediapipe).threads_used(1) is None
    with pytest.raises(BadInput, match="takes no number of threads"):
        describe(RuntimeName.mediapipe).threads_used(2)


def test_help_offers_every_runtime() -> None:
    from typer.testing import CliRunner

    from pipeline.cli.app import app

    shown = CliRunner().invoke(app, ["record", "--help"]).stdout
    assert f"<{'|'.join(RuntimeName)}>" in "".join(shown.split())
