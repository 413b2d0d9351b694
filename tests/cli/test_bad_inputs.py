"""Meet bad input at the door: one clear refusal, the right exit code, nothing half-written."""

from __future__ import annotations

import errno
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.contract.recipe import Recipe
from pipeline.contract.run import RunDir
from tests.commands import Call
from tests.export.samples import samples


def write_images(folder: Path, names: tuple[str, ...] = ("A", "B"), count: int = 3) -> Path:
    random = np.random.default_rng(0)
    for name in names:
        (folder / name).mkdir(parents=True)
        for i in range(count):
            pixels = random.integers(0, 255, (40, 40, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{i}.jpg")
    return folder


def truncated(folder: Path) -> None:
    path = folder / "A" / "0.jpg"
    path.write_bytes(path.read_bytes()[:-200])


def text(folder: Path) -> None:
    (folder / "A" / "0.jpg").write_text("this is not a picture", encoding="utf-8")


def zero_bytes(folder: Path) -> None:
    (folder / "A" / "0.jpg").write_bytes(b"")


def empty_class(folder: Path) -> None:
    (folder / "C").mkdir()


def two_labels(folder: Path) -> None:
    (folder / "B" / "copy.jpg").write_bytes((folder / "A" / "0.jpg").read_bytes())


def link_out(folder: Path) -> None:
    outside = folder.parent / "outside.jpg"
    outside.write_bytes((folder / "A" / "0.jpg").read_bytes())
    (folder / "A" / "link.jpg").symlink_to(outside)


def lone_group(folder: Path) -> None:
    (folder / "C").mkdir()
    (folder / "C" / "0.jpg").write_bytes((folder / "A" / "0.jpg").read_bytes())
    (folder / "A" / "0.jpg").unlink()


def missing_column(folder: Path) -> None:
    (folder / "ISIC_2019_Training_Input").mkdir()
    (folder / "ISIC_2019_Training_GroundTruth.csv").write_text("image,MEL\nx,1\n")


def nothing(folder: Path) -> None:
    for path in folder.rglob("*.jpg"):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (truncated, "truncated"),
        (text, "not an image"),
        (zero_bytes, "empty"),
        (empty_class, "C"),
        (two_labels, "another class"),
        (link_out, "link"),
        (lone_group, "C"),
        (missing_column, ""),
        (nothing, "no image"),
    ],
)
def test_a_bad_dataset_is_refused_and_leaves_no_manifest(
    call: Call, tmp_path: Path, spoil: Callable[[Path], None], words: str
) -> None:
    folder = write_images(tmp_path / "images")
    spoil(folder)
    done = call("data", "prepare", folder, "--run-dir", tmp_path / "run")
    assert done.code == 2, done
    assert words in done.said
    assert not RunDir(tmp_path / "run").dataset.exists()


@pytest.mark.parametrize("split", ["1,2", "a,b,c", "0.5,0.5,0.5", "1,0,0", "0.71,0.14,0.15"])
def test_shares_that_make_no_split_are_refused(call: Call, tmp_path: Path, split: str) -> None:
    folder = write_images(tmp_path / "images")
    done = call("data", "prepare", folder, "--split", split, "--run-dir", tmp_path / "run")
    assert done.code == 2


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("seven", "7"),
        ("logits", "softmax"),
        ("lambda", "Lambda"),
        ("missing", "no Keras model"),
    ],
)
def test_a_model_that_does_not_fit_is_refused_and_nothing_published(
    call: Call, run_dir: Path, model: str, words: str
) -> None:
    path = samples().models.get(model, Path("missing.keras"))
    done = call("export", "--quantize", "float16", "--model", path, "--run-dir", run_dir)
    assert done.code == 2, done
    assert words in done.said
    assert not (run_dir / "bundles").exists() or not list((run_dir / "bundles").iterdir())
    assert not (samples().folder / "code-ran").exists()


@pytest.mark.parametrize("size", [0, 4, 100, 0.5, 0.99])
@pytest.mark.parametrize("command", ["inspect", "predict"])
def test_a_cut_file_is_refused(call: Call, tmp_path: Path, command: str, size: float) -> None:
    data = samples().described["float16"].read_bytes()
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(data[: int(size * len(data)) if isinstance(size, float) else size])
    image = samples().dataset.file(samples().dataset.images[0])
    done = call(command, cut, *([image] if command == "predict" else []))
    assert done.code == 2, done
    assert "cut.tflite" in done.said


def test_a_file_without_metadata_is_refused_by_predict_with_the_next_step(call: Call) -> None:
    image = samples().dataset.file(samples().dataset.images[0])
    done = call("predict", samples().converted["float16"], image)
    assert done.code == 2
    assert "pipeline export" in done.said


def test_predict_answers_the_good_images_and_names_the_bad_one(call: Call, tmp_path: Path) -> None:
    good = samples().dataset.file(samples().dataset.images[0])
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(good.read_bytes()[:-100])
    done = call("predict", samples().described["int8-uint8"], good, bad, "--json")
    assert done.code == 2
    answer = done.json()
    assert [one["image"] for one in answer["predictions"]] == [str(good)]
    assert [one["image"] for one in answer["refused"]] == [str(bad)]
    assert sum(answer["predictions"][0]["probabilities"].values()) == pytest.approx(1, abs=0.02)


def test_predict_draws_no_table_where_no_image_was_read(call: Call, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"")
    done = call("predict", samples().described["float16"], tmp_path / "bad.jpg")
    assert done.code == 2
    assert done.out == ""
    assert "empty" in done.said


def test_predict_writes_csv_that_a_spreadsheet_reads(call: Call) -> None:
    import csv
    import io

    folder = samples().dataset.root
    done = call("predict", samples().described["float16"], folder, "--csv")
    assert done.code == 0
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert len(rows) == len(samples().dataset.images)
    assert set(rows[0]) == {"image", "label", "RED", "GREEN", "BLUE"}
    for row in rows:
        best = max(("RED", "GREEN", "BLUE"), key=lambda name: float(row[name]))
        assert row["label"] == best


@pytest.mark.parametrize("columns", ["60", "80", "400"])
def test_predict_shows_names_and_probabilities_whole_at_any_width(
    call: Call, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    dataset = samples().dataset
    image = dataset.file(dataset.images[0])
    done = call("predict", samples().described["float16"], image)
    assert done.code == 0
    assert "\N{HORIZONTAL ELLIPSIS}" not in done.out
    together = "".join(done.out.replace("\N{BOX DRAWINGS LIGHT VERTICAL}", "").split())
    for word in ("RED", "GREEN", "BLUE"):
        assert word in together
    assert max(len(line) for line in done.out.splitlines()) <= int(columns)


def test_inspect_tells_tensors_operators_and_the_oldest_runtime(call: Call) -> None:
    done = call("inspect", samples().described["int8-uint8"], "--json")
    assert done.code == 0
    about = done.json()
    assert about["runtime"]["version"]
    shown = call("inspect", samples().described["int8-uint8"])
    for words in ("CONV_2D", "uint8", "RED", "127.5"):
        assert words in shown.out


def test_recordings_of_other_images_are_not_compared(call: Call, run_dir: Path) -> None:
    model = samples().described["float32"]
    made = {}
    for split in ("validation", "test"):
        done = call("record", model, "--split", split, "--run-dir", run_dir, "--json")
        assert done.code == 0, done
        made[split] = done.json()["recording"]
    done = call("parity", "--reference", made["validation"], "--candidate", made["test"])
    assert done.code == 2
    edited = Path(made["test"]).with_suffix(".npz")
    edited.write_bytes(edited.read_bytes()[:-1])
    done = call("parity", "--reference", made["test"], "--candidate", made["test"])
    assert done.code == 2
    assert "changed" in done.said


def test_too_few_images_are_inconclusive_with_exit_code_4(
    call: Call, run_dir: Path, tmp_path: Path
) -> None:
    recording = call(
        "record", samples().described["float32"], "--run-dir", run_dir, "--json"
    ).json()["recording"]
    junit = tmp_path / "parity.xml"
    done = call(
        "parity", "--reference", recording, "--candidate", recording, "--junit", junit, "--json"
    )
    assert done.code == 4
    assert done.json()["error"]["kind"] == "inconclusive"
    assert "<error" in junit.read_text(encoding="utf-8")


def test_a_missing_weights_file_is_refused(call: Call, run_dir: Path) -> None:
    done = call("train", "--weights", "missing.h5", "--run-dir", run_dir)
    assert done.code == 2
    assert "missing.h5" in done.said


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "permission denied"),
    ],
)
def test_what_the_machine_refuses_is_an_environment_refusal(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    def refuse(self: Path, *arguments: object, **options: object) -> None:
        raise OSError(number, "refused by the test", str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    done = call("report", "--run-dir", tmp_path / "run")
    assert done.code == 3
    assert words in done.said


def test_a_run_folder_that_is_a_file_is_refused(call: Call, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file", encoding="utf-8")
    done = call("report", "--run-dir", tmp_path / "run")
    assert done.code == 3
    assert "run" in done.said


def test_a_disk_that_fills_up_leaves_the_old_manifest_whole(call: Call, tmp_path: Path) -> None:
    folder = write_images(tmp_path / "images", count=20)
    run = tmp_path / "run"
    assert call("data", "prepare", folder, "--run-dir", run).code == 0
    before = RunDir(run).dataset.read_bytes()
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pipeline",
            "data",
            "prepare",
            folder,
            "--seed",
            "1",
            "--run-dir",
            str(run),
        ],
        capture_output=True,
        text=True,
        # No file may grow beyond 2000 bytes, which the manifest must.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000)),
    )
    assert done.returncode == 3, done.stderr
    assert "Traceback" not in done.stderr
    assert RunDir(run).dataset.read_bytes() == before
    assert not list(RunDir(run).dataset.parent.glob(".tmp-*"))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--io", "int8"], "--io"),
        (["--representative", "50"], "--representative"),
        (["--repair", "max"], "--repair"),
        (["--seed", "0"], "--seed"),
    ],
)
def test_an_option_that_a_recipe_file_decides_is_refused(
    call: Call, tmp_path: Path, options: list[str], named: str
) -> None:
    Recipe().save(tmp_path / "recipe.json")
    done = call("export", "--recipe", tmp_path / "recipe.json", *options, "--run-dir", tmp_path)
    assert done.code == 2
    assert f"{named} would do nothing with --recipe" in done.said


@pytest.mark.parametrize(
    "option", [("--repair", "auto"), ("--representative", "9"), ("--seed", "1")]
)
def test_an_option_of_int8_is_refused_with_another_recipe(
    call: Call, tmp_path: Path, option: tuple[str, str]
) -> None:
    done = call("export", "--quantize", "float16", *option, "--run-dir", tmp_path)
    assert done.code == 2
    assert f"{option[0]} would do nothing with --quantize float16" in done.said
