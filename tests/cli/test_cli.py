"""Run the command line as a user does, in processes of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline import __version__

COMMANDS = [
    ("debug",),
    (),
    ("data",),
    ("data", "prepare"),
    ("data", "synthesize"),
    ("train",),
    ("export",),
    ("parity",),
    ("record",),
    ("inspect",),
    ("predict",),
    ("report",),
    ("run",),
    ("demo",),
]


def pipeline(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": root, "COLUMNS": "200", "NO_COLOR": "1"},
        timeout=120,
    )


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: " ".join(words) or "root")
def test_every_command_explains_itself(command: tuple[str, ...]) -> None:
    done = pipeline(*command, "--help")
    assert done.returncode == 0, done.stderr
    assert "Usage: pipeline" in done.stdout


def test_version_is_the_packages() -> None:
    assert pipeline("--version").stdout == f"pipeline {__version__}\n"


def test_help_and_refusals_leave_the_heavy_libraries_alone(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from pipeline.__main__ import main\n"
        "for arguments in (['--help'], ['predict', 'missing.tflite', '.'], ['report']):\n"
        "    try:\n"
        "        main(arguments)\n"
        "    except SystemExit:\n"
        "        pass\n"
        "heavy = {'tensorflow', 'keras', 'tflite_support', 'ai_edge_litert', 'mediapipe',\n"
        "         'sklearn', 'matplotlib', 'scipy'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))\n"
    )
    root = str(Path(__file__).resolve().parents[2])
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
    )
    assert "heavy: []" in done.stdout, done.stdout + done.stderr


def test_the_help_imports_neither_numpy_nor_a_stage() -> None:
    script = (
        "import sys\n"
        "from pipeline.__main__ import main\n"
        "try:\n"
        "    main(['--help'])\n"
        "except SystemExit:\n"
        "    pass\n"
        "print('loaded:', sorted({'numpy', 'PIL', 'pipeline.workflow.run'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "loaded: []" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("no-such-command",), "No such command"),
        (("export",), "export needs one recipe"),
        (("export", "--quantize", "int4"), "not one of float32, float16, dynamic, int8"),
        (("export", "--quantize", "float16", "--io", "uint8"), "needs quantize int8"),
        (("export", "--quantize", "float16", "--quantize", "float16"), "names one twice"),
        (
            ("export", "--quantize", "float16", "--quantize", "dynamic", "--repair", "none"),
            "--repair would do nothing with --quantize float16 --quantize dynamic",
        ),
        (("export", "--quantize", "float16", "--accept-fragile"), "--accept-fragile would do"),
        (("parity",), "parity needs one file, or two recordings"),
        (("parity", "x.tflite", "--reference", "a.json"), "parity needs one file"),
        (("parity", "x.tflite", "--split", "test"), "--split would do nothing without --data"),
        (("evaluate", "x.tflite"), "evaluate needs labelled images"),
        (("evaluate", "x.tflite", "--data", "."), "there is no model here"),
        (("data", "prepare", "missing"), "missing"),
        (("inspect", "missing.tflite"), "missing.tflite"),
        (("predict", "missing.tflite", "."), "no image here"),
        (("run",), "pipeline.toml"),
        (("record", "--runtime", "litert"), "needs a .tflite"),
        (("train",), "data prepare"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_a_mistake_is_one_clear_refusal_with_exit_code_2(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = pipeline(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stdout + done.stderr
    assert words in re.sub(r"\s+", " ", done.stderr)
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_the_earlier_name_of_float32_is_taken_and_not_offered(tmp_path: Path) -> None:
    for name in ("none", "float32"):
        done = pipeline("export", "--quantize", name, "--run-dir", tmp_path)
        assert done.returncode == 2
        assert "no dataset to prove a model on" in done.stderr
    offered = pipeline("export", "--help").stdout
    assert "<float32|float16|dynamic|int8>" in offered


def test_a_refusal_is_json_where_json_was_asked_for(tmp_path: Path) -> None:
    done = pipeline("inspect", "missing.tflite", "--json", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == ""
    assert json.loads(done.stdout)["error"]["kind"] == "bad_input"


def test_a_run_held_by_another_process_is_an_environment_refusal(tmp_path: Path) -> None:
    from pipeline.contract.run import RunDir

    with RunDir(tmp_path / "run").lock():
        done = pipeline("report", "--run-dir", tmp_path / "run")
    assert done.returncode == 3
    assert "another pipeline command" in done.stderr


def test_an_unknown_key_in_the_configuration_is_named(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text("[train]\nepoch = 3\n", encoding="utf-8")
    done = pipeline("run", cwd=tmp_path)
    assert done.returncode == 2
    assert "train.epoch" in done.stderr


def test_a_configuration_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    (tmp_path / "pipeline.toml").write_text("run_dir = [", encoding="utf-8")
    assert pipeline("run", cwd=tmp_path).returncode == 2
