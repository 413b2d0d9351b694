from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.child import ask_child
from pipeline.classifier.spec import spec_of_image
from pipeline.contract.recipe import Recipe
from pipeline.errors import BadInput
from pipeline.export.convert import ConvertAnswer, ConvertRequest
from pipeline.tflite.flatbuffer import text, unpack
from pipeline.tflite.inspect import inspect_file
from pipeline.tflite.runtime_versions import version_key
from tests.export.answers import AnswerRequest, Rows
from tests.export.samples import IMAGE, INT8, LABELS, RECIPES, Samples


def test_the_same_inputs_give_the_same_bytes(samples: Samples) -> None:
    assert samples.again.read_bytes() == samples.converted[INT8.name].read_bytes()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_every_recipe_keeps_to_operators_that_tflite_2_16_has(
    samples: Samples, recipe: Recipe
) -> None:
    found = inspect_file(samples.described[recipe.name])
    assert found.runtime.version is not None
    assert version_key(found.runtime.version) <= version_key("2.16.1")
    assert found.graph.converter_min_runtime == found.runtime.version


def test_no_temporary_folder_is_named_in_a_file(samples: Samples) -> None:
    assert not any(b"/tmp" in path.read_bytes() for path in samples.described.values())


def test_a_raw_uint8_input_spans_all_pixel_values_though_the_photographs_do_not(
    samples: Samples,
) -> None:
    (info,) = inspect_file(samples.converted[INT8.name]).graph.inputs
    assert info.scale == pytest.approx(2 / 255)
    assert info.zero_point in (127, 128)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_the_tensors_of_every_file_are_called_by_what_they_hold(
    samples: Samples, recipe: Recipe
) -> None:
    graph = inspect_file(samples.converted[recipe.name]).graph
    (taken,), (given,) = graph.inputs, graph.outputs
    assert (taken.name, given.name) == ("image", "probability")
    main = unpack(samples.converted[recipe.name].read_bytes(), where="a test").subgraphs[0]
    names = [text(tensor.name) for tensor in main.tensors]
    assert len(set(names)) == len(names)


def test_the_files_agree_with_each_other_on_an_image(samples: Samples) -> None:
    answers = ask_child(
        "tests.export.answers:answer_child",
        AnswerRequest(
            models=samples.described, image=samples.dataset.file(samples.dataset.images[0])
        ),
        Rows,
    ).rows
    for name, row in answers.items():
        assert sum(row) == pytest.approx(1, abs=0.02)
        assert row == pytest.approx(answers["float32"], abs=0.002 if "int8" not in name else 0.1)


def test_a_model_that_changed_while_it_was_exported_is_refused(
    samples: Samples, tmp_path: Path
) -> None:
    good = spec_of_image(samples.models["good"], IMAGE, len(LABELS))
    changed = good.model_copy(update={"sha256": "0" * 64})
    request = ConvertRequest(
        classifier=changed,
        out=str(tmp_path / "out.tflite"),
    )
    with pytest.raises(BadInput, match="model file changed"):
        ask_child("pipeline.export.convert:convert_child", request, ConvertAnswer)
    assert not (tmp_path / "out.tflite").exists()
