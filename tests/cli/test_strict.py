"""Ask for the whole interval, on the command line and in pipeline.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.contract.verdict import Outcome
from pipeline.errors import BadInput
from pipeline.parity.thresholds import Thresholds
from pipeline.runtimes.recording import Recording
from pipeline.workflow.config import ParityConfig, RunConfig
from pipeline.workflow.parity import judge_recording_files
from tests.commands import Call
from tests.parity.recordings import LABELS, pair


def saved(folder: Path, *recordings: Recording) -> tuple[Path, ...]:
    paths = tuple(folder / f"{number}.json" for number in range(len(recordings)))
    for path, recording in zip(paths, recordings, strict=True):
        recording.save(path)
    return paths


def losing(of: int, count: int = 0, labels: tuple[str, ...] = LABELS) -> tuple[Recording, ...]:
    """Return a reference that is always right, and a candidate that loses `count` of class 0."""
    truth = [0] * (of // 2) + [1, 2] * (of // 4)
    return pair(truth, truth, [1] * count + truth[count:], labels=labels)


def test_strict_exits_with_4_and_says_how_many_images_would_decide(
    call: Call, tmp_path: Path
) -> None:
    reference, candidate = saved(tmp_path, *losing(of=200))
    both = ("parity", "--reference", reference, "--candidate", candidate)
    assert call(*both).code == 0
    done = call(*both, "--strict")
    assert done.code == 4
    assert "images of MEL would decide if the two are equally good" in done.said
    assert done.out.count("whole interval") == 4


@pytest.mark.parametrize(("of", "lost", "code"), [(4000, 1, 0), (4000, 200, 1)])
def test_strict_decides_where_there_are_enough_images(
    call: Call, tmp_path: Path, of: int, lost: int, code: int
) -> None:
    reference, candidate = saved(tmp_path, *losing(of, lost))
    done = call("parity", "--reference", reference, "--candidate", candidate, "--strict", "--json")
    assert done.code == code
    assert done.json()["verdict"]["figures"]["thresholds"]["strict"] is True


def test_strict_is_refused_where_it_would_do_nothing(call: Call, tmp_path: Path) -> None:
    (_, candidate) = saved(tmp_path, *losing(of=200))
    done = call("parity", "--reference", tmp_path, "--candidate", candidate, "--strict")
    assert done.code == 2
    assert "--strict would do nothing with goldens" in done.said
    with pytest.raises(BadInput, match="--strict"):
        judge_recording_files(tmp_path, candidate, Thresholds(strict=True), critical=None)


def test_every_limit_is_a_key_of_the_configuration(tmp_path: Path) -> None:
    assert len(ParityConfig.model_fields) == len(Thresholds.model_fields)
    config = tmp_path / "pipeline.toml"
    config.write_text("[parity]\nstrict = true\n", encoding="utf-8")
    assert RunConfig.from_toml(config).parity.thresholds() == Thresholds(strict=True)
    assert not RunConfig().parity.thresholds().strict


@pytest.mark.parametrize(
    ("stated", "option", "strict"),
    [("false", "--strict", True), ("true", "--no-strict", False), ("true", None, True)],
)
def test_run_overrides_the_configuration(
    call: Call,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stated: str,
    option: str | None,
    strict: bool,
) -> None:
    config = tmp_path / "pipeline.toml"
    asked: list[RunConfig] = []
    config.write_text(f"[parity]\nstrict = {stated}\n", encoding="utf-8")
    monkeypatch.setattr("pipeline.cli.run.run_and_show", lambda *given, **_: asked.append(given[0]))
    assert call("run", config, *([option] if option else [])).code == 0
    assert [one.parity.strict for one in asked] == [strict]


@pytest.mark.parametrize(
    ("labels", "critical"),
    [
        (LABELS, ["MEL"]),
        (("melanoma", "nevus", "basal cell carcinoma"), ["melanoma", "basal cell carcinoma"]),
        (("cat", "dog", "bird"), []),
    ],
)
def test_known_malignancies_are_critical_in_two_recordings(
    tmp_path: Path, labels: tuple[str, ...], critical: list[str]
) -> None:
    reference, candidate = saved(tmp_path, *losing(of=400, labels=labels))
    verdict = judge_recording_files(reference, candidate, Thresholds(), critical=None)
    assert verdict.outcome is Outcome.passed
    assert verdict.figures["critical"] == critical
