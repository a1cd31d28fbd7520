"""Recipes: those of tinydnn are complete, and errors in others are explained."""

from dataclasses import fields

import pytest

from tinydnn.errors import InputError
from tinydnn.runs import Options
from tinydnn.runs.recipes import FOLDER, NOT_IN_RECIPES, is_finetune_recipe, names, read_recipe


@pytest.mark.parametrize("name", names())
def test_a_recipe_sets_every_option_and_is_valid(name):
    values = read_recipe(name)
    assert values.keys() == {field.name for field in fields(Options)} - NOT_IN_RECIPES
    Options(**values)
    assert (FOLDER / f"{name}.toml").read_text().startswith("# ")


def test_there_are_three_recipes():
    assert set(names()) == {"paper", "fast", "best"}


def test_the_recipe_paper_is_the_reconstructed_training():
    values = read_recipe("paper")
    found = [values[name] for name in ("model", "optimizer", "epochs", "batch_size")]
    assert found == ["baseline", "sgd", 10, 128]


def test_a_recipe_may_be_any_toml_file(tmp_path):
    (tmp_path / "mine.toml").write_text("epochs = 3\n")
    assert read_recipe(str(tmp_path / "mine.toml")) == {"epochs": 3}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epochs = ", "expected a recipe in TOML, found something else"),
        ("seed = 1", "expected options of a recipe .* found seed"),
        ("batchsize = 1", "found batchsize"),
    ],
)
def test_an_invalid_recipe_is_explained(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_recipe(str(path))


@pytest.mark.parametrize("name", ["wurst", "missing.toml", "../options"])
def test_a_missing_recipe_is_explained(name):
    with pytest.raises(InputError, match=r"--recipe: expected one of .*paper.* or a \.toml file, found"):
        read_recipe(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [('model = "vgg16"', True), ('head = "gap"', True), ("epochs = 1", False), ('model = ["vgg16"]', False)],
)
def test_a_finetune_recipe_is_recognised_by_its_options(tmp_path, text, expected):
    (tmp_path / "mine.toml").write_text(text)
    assert is_finetune_recipe(str(tmp_path / "mine.toml")) is expected
