"""The house rules that a reader relies on, read off the source."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "pipeline"
FILES = sorted(PACKAGE.rglob("*.py"))

# From the top to the ground. A package may import its own layer only from within, and any layer
# below.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("__main__",),
    ("cli",),
    ("api",),
    ("workflow",),
    ("evaluation",),
    ("export", "parity"),
    ("data", "training", "runtimes", "report", "android"),
    ("classifier", "mistakes"),
    ("imaging", "tflite", "metrics", "signing"),
    # contract raises errors; child hashes requests and carries errors and progress.
    ("child",),
    ("worker",),
    ("process", "child_process"),
    ("contract",),
    ("errors", "progress", "__init__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
HEAVY = (
    "tensorflow",
    "keras",
    "tflite_support",
    "mediapipe",
    "ai_edge_litert",
    "litert_quantizer",
)


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str:
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported_modules(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found.add(str(node.module))
            # `from pipeline.cli import data` imports a module by another spelling.
            found |= {
                f"{node.module}.{alias.name}"
                for alias in node.names
                if is_module(f"{node.module}.{alias.name}")
            }
    return found


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or path.is_dir()


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), filename=str(file))


def is_child_only(file: Path) -> bool:
    docstring = ast.get_docstring(tree_of(file)) or ""
    return re.search(r"\bchild( process)? only\b", docstring, re.IGNORECASE) is not None


def test_every_room_has_a_floor() -> None:
    rooms = {room_of(module_name(file)) for file in FILES}
    assert rooms <= FLOOR_OF.keys()


def test_the_tour_draws_the_same_floors() -> None:
    tour = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = re.search(r"```\n(cli\n.*?)```", tour, flags=re.DOTALL)
    assert drawn is not None
    lines = [set(line.split()) for line in drawn[1].splitlines()]
    assert lines == [set(rooms) - {"__init__"} for rooms in FLOORS if rooms != ("__main__",)]


@pytest.mark.parametrize("page", ["docs/architecture.md", "docs/extending.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:pipeline|tests|docs|android_demo)/[\w./-]+)`", text))
    assert named
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_imports_go_down_and_never_sideways(file: Path) -> None:
    room = room_of(module_name(file))
    tree = tree_of(file)
    # The package itself names its functions for type checkers, and loads them when they are used.
    seen = _top_level(tree) if file == PACKAGE / "__init__.py" else tree
    wrong = [
        name
        for name in imported_modules(seen)
        if name.split(".")[0] == "pipeline"
        and name != "pipeline"
        and room_of(name) != room
        and FLOOR_OF[room_of(name)] <= FLOOR_OF[room]
    ]
    assert not wrong, f"{module_name(file)} imports {wrong}"


def test_the_check_would_notice_a_stage_that_imports_another() -> None:
    for source in (
        "def f():\n    from pipeline.training.train import train\n",
        "import pipeline.training.train\n",
        "from pipeline import training\n",
    ):
        rooms = {room_of(name) for name in imported_modules(ast.parse(source))}
        assert "training" in rooms
    assert FLOOR_OF["training"] == FLOOR_OF["data"]


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_native_runtimes_are_imported_at_the_top_only_in_child_only_modules(file: Path) -> None:
    top = {name.split(".")[0] for name in imported_modules(_top_level(tree_of(file)))}
    assert is_child_only(file) or top.isdisjoint(HEAVY)


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_files_are_short_and_named_by_a_noun(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= 300
    assert file.stem not in {"utils", "util", "helpers", "misc", "common"}


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_only_the_command_line_prints(file: Path) -> None:
    if room_of(module_name(file)) == "cli":
        return
    prints = [
        node.lineno
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not prints


@pytest.mark.parametrize("file", FILES, ids=module_name)
def test_no_exception_is_swallowed(file: Path) -> None:
    silent = [
        node.lineno
        for node in ast.walk(tree_of(file))
        if isinstance(node, ast.ExceptHandler)
        and all(isinstance(statement, ast.Pass) for statement in node.body)
    ]
    assert not silent


def test_every_module_imports_in_a_process_without_the_native_runtimes() -> None:
    modules = [module_name(file) for file in FILES if not is_child_only(file)]
    code = (
        "import importlib, sys, traceback\n"
        f"for name in {HEAVY!r}: sys.modules[name] = None\n"
        "broken = 0\n"
        f"for name in {modules!r}:\n"
        "    try: importlib.import_module(name)\n"
        "    except BaseException: broken += 1; print(name); traceback.print_exc()\n"
        "sys.exit(bool(broken))\n"
    )
    _run(code)


def test_the_command_line_does_not_load_the_native_runtimes() -> None:
    if not (PACKAGE / "cli" / "app.py").exists():
        pytest.skip("the command line is not there yet")
    _run(
        "import sys, pipeline.cli.app\n"
        f"loaded = [n for n in {(*HEAVY, 'sklearn')!r} if n in sys.modules]\n"
        "sys.exit(f'loaded: {loaded}' if loaded else 0)\n"
    )


def _top_level(tree: ast.Module) -> ast.Module:
    kept = [
        node
        for node in tree.body
        if not isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
        and not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    return ast.Module(body=kept, type_ignores=[])


def _run(code: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Its own request, answer and log; a style sheet of the package; records of installed packages.
_READ_OWN_FILES = {
    "pipeline/child_process.py",
    "pipeline/export/packages.py",
    "pipeline/process.py",
    "pipeline/report/page.py",
}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_files_are_opened_in_one_room_and_names_are_never_markup(file: Path) -> None:
    source, name = file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix()
    # `contract/files.py` opens regular files alone, up to a size, and follows circles of links.
    if name not in _READ_OWN_FILES:
        assert not re.search(r"\.read_(bytes|text)\(|(?<!\(__file__\))\.resolve\(\)", source)
    # The console shows every string as it is; what has a style is a `rich.text.Text`.
    assert not re.search(r"rich\.markup|\[/?(bold|green|red|yellow|dim)\b", source)
