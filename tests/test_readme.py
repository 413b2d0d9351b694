"""Hold the README to what the program does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pipeline.contract.image import ImageContract

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_calls_exactly_the_readme_test_command() -> None:
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    (command,) = [block.strip() for block in blocks if block.strip().endswith("pytest")]
    assert command in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()


def test_sections_stand_in_the_agreed_order() -> None:
    assert re.findall(r"^## (.*)$", README, flags=re.MULTILINE) == [
        "What it proves",
        "Quickstart",
        "Stages",
        "The artifact contract",
        "Android",
        "Limits",
        "Troubleshooting",
    ]


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "docs" / "adr").glob("0*")))
def test_every_decision_record_is_listed(name: str) -> None:
    assert f"({name})" in (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")


def test_the_table_of_backbones_is_the_registry() -> None:
    from pipeline.training.backbones import NAMES, backbone

    rows = re.findall(
        r"^\| `(\w+)` \| (\S+) to (\S+) \| (\D*)(\d+)[^|]* \| ([\d., ]+) \|", README, re.MULTILINE
    )
    listed = {
        name: ((float(low), float(high)), int(px), widths)
        for name, low, high, _, px, widths in rows
    }
    assert list(listed) == list(NAMES)
    for name, (scale, px, widths) in listed.items():
        member = backbone(name)
        image = ImageContract(mean=member.mean, std=member.std)
        assert scale == image.float_range
        assert px == max(member.size_multiple_px, member.min_size_px)
        assert widths == ", ".join(map(str, member.imagenet_widths))


def test_the_example_configuration_is_valid(tmp_path: Path) -> None:
    from pipeline.workflow.config import RunConfig

    (text,) = re.findall(r"```toml\n(.*?)```", README, flags=re.DOTALL)
    path = tmp_path / "pipeline.toml"
    path.write_text(text, encoding="utf-8")
    config = RunConfig.from_toml(path)
    defaults = RunConfig().relative_to(tmp_path)
    assert config.data.source == str(tmp_path / "images")
    expected = defaults.model_copy(
        update={"data": defaults.data.model_copy(update={"source": config.data.source})}
    )
    assert config == expected


def test_every_path_of_a_run_is_described() -> None:
    from pipeline.contract.run import RunDir

    page = (ROOT / "artifacts" / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^\| `([^`/]+)/", page, flags=re.MULTILINE))
    run = RunDir(Path("run"))
    properties = [name for name, one in vars(RunDir).items() if isinstance(one, property)]
    paths = [getattr(run, name) for name in properties]
    paths += [run.training_state.journal, run.bundle("x"), run.rejected("x"), run.conventions("x")]
    found = {path.relative_to("run").parts[0] for path in paths if isinstance(path, Path)}
    assert listed == found
