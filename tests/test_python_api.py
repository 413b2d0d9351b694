"""Use the package as a script does: lazily, typed, and as its page says."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import pipeline
from pipeline import api
from pipeline.cli.app import app
from pipeline.errors import BadInput
from tests.bundles.broken import BUNDLE

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "python-api.md").read_text(encoding="utf-8")
OFFERED = sorted({*pipeline.__all__} - {"__version__"})
HEAVY = ("tensorflow", "keras", "numpy", "pydantic", "PIL", "rich", "typer", "ai_edge_litert")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_import_loads_nothing_heavy() -> None:
    loaded = run(f"import sys, pipeline; print([n for n in {HEAVY!r} if n in sys.modules])")
    assert loaded == "[]"


def test_no_image_to_answer_is_refused() -> None:
    with pytest.raises(BadInput, match="no image"):
        api.predict(BUNDLE, [])


def test_the_functions_load_no_runtime() -> None:
    heavy = ("tensorflow", "keras", "ai_edge_litert", "mediapipe", "rich", "typer")
    loaded = run(
        f"import sys, pipeline, pipeline.api\nprint([n for n in {heavy!r} if n in sys.modules])"
    )
    assert loaded == "[]"


def test_packages_of_the_same_name_can_be_called_before_and_after_their_import() -> None:
    code = (
        "import pipeline\n"
        "before = pipeline.export, pipeline.parity\n"
        "import pipeline.export.bundle, pipeline.parity.judge\n"
        "import pipeline.export.bundle as bundle\n"
        "from pipeline import export, parity\n"
        "assert before == (pipeline.export, pipeline.parity) == (export, parity)\n"
        "assert all(map(callable, before)) and bundle.build\n"
        "try: pipeline.export('no such recipe')\n"
        "except Exception as error: print(error.got)\n"
        "try: pipeline.parity('nothing', run_dir='/nonexistent/run')\n"
        "except Exception as error: print(type(error).__name__)\n"
    )
    first, second = run(code).splitlines()
    assert "no such recipe" in first
    assert second in {"BadInput", "EnvironmentProblem", "PermissionError"}


@pytest.mark.parametrize("name", OFFERED)
def test_every_name_is_offered_documented_and_typed(name: str) -> None:
    function = getattr(api, name)
    assert callable(getattr(pipeline, name))
    assert name in dir(pipeline)
    assert f"`pipeline.{name}(" in PAGE
    assert inspect.getdoc(function)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
    assert (ROOT / "pipeline" / "py.typed").is_file()


def test_functions_are_named_like_commands() -> None:
    commands = {one.name for one in app.registered_commands}
    assert isinstance(typer.main.get_command(app), object)
    assert {*OFFERED} - {"load_bundle"} <= commands


@pytest.mark.parametrize(
    "wrong",
    [
        {"quantize": "int4"},
        {"quantize": "float16", "io": "uint8"},
        {"quantize": "int8", "normalization": "zero"},
        {"quantize": "int8", "repair": "some"},
    ],
)
def test_a_wrong_value_is_bad_input(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(BadInput) as refused:
        pipeline.export(**wrong, run_dir=tmp_path)
    assert refused.value.got


@pytest.mark.slow
def test_a_type_checker_sees_the_functions_and_not_the_packages(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import pipeline\n"
        "reveal_type(pipeline.export('int8').published)\n"
        "reveal_type(pipeline.parity('b').passed)\n"
        "reveal_type(pipeline.load_bundle('b').labels.names)\n"
        "pipeline.predict(1, 2)\n",
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), str(script)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    revealed = re.findall(r'Revealed type is "(.*?)"', done.stdout)
    assert [one.removeprefix("builtins.") for one in revealed] == [
        "bool",
        "bool",
        "tuple[str, ...]",
    ]
    assert done.stdout.count(" error: ") == 2


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        pipeline.no_such_name  # noqa: B018


def test_a_bundle_is_loaded_verified_and_answers(tmp_path: Path) -> None:
    assert pipeline.load_bundle(BUNDLE).labels.names == ("RED", "GREEN", "BLUE")
    assert pipeline.verify(str(BUNDLE)).refusal() is None
    photo = tmp_path / "photo.jpg"
    shutil.copyfile(BUNDLE / "goldens" / "gray.jpg", photo)
    (one,) = pipeline.predict(BUNDLE, [photo]).predictions
    assert one.probabilities.keys() == {"RED", "GREEN", "BLUE"}
    assert sum(one.probabilities.values()) == pytest.approx(1.0, abs=0.02)
    with pytest.raises(BadInput):
        pipeline.predict(BUNDLE, str(tmp_path / "*.png"))
    with pytest.raises(BadInput):
        pipeline.verify(BUNDLE, require_signature=True)


@pytest.mark.slow
def test_the_page_runs_as_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pipeline.contract.run import RunDir
    from tests.bundles.make import dataset_to_judge_on, trained_model

    trained_model(tmp_path / "classifier.keras")
    dataset = dataset_to_judge_on()
    dataset.save(RunDir(tmp_path / "artifacts" / "run").dataset)
    shutil.copytree(dataset.root, tmp_path / "photos")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    assert len(blocks) == PAGE.count("```python")
    space: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "docs/python-api.md", "exec"), space)
    said = capsys.readouterr().out
    assert "('RED', 'GREEN', 'BLUE') 32 32" in said
    assert len(re.findall(r"^(?:RED|GREEN|BLUE)-\d\.jpg", said, flags=re.MULTILINE)) == 24
    assert "top1_agreement pass" in said
    assert said.splitlines()[-1] == "this folder is not a bundle 2"


def test_the_options_that_a_type_checker_knows_are_those_of_the_function() -> None:
    from pipeline.api.bundles import ExportOptions, export

    parameters = inspect.signature(export).parameters
    assert list(ExportOptions.__annotations__) == list(parameters)[1:]
