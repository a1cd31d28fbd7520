"""Recipes: complete, readable, and explained where they are wrong."""

from dataclasses import fields

import pytest

from tinydnn.errors import InputError
from tinydnn.runs import Options
from tinydnn.runs.recipes import FOLDER, NOT_OF_A_RECIPE, adapts, names, read_recipe


@pytest.mark.parametrize("name", names())
def test_a_recipe_says_everything_and_makes_sense(name):
    values = read_recipe(name)
    assert values.keys() == {field.name for field in fields(Options)} - NOT_OF_A_RECIPE
    Options(**values)
    assert (FOLDER / f"{name}.toml").read_text().startswith("# ")


def test_the_three_recipes_are_there():
    assert set(names()) == {"paper", "fast", "best"}


def test_the_papers_recipe_is_the_papers_training():
    values = read_recipe("paper")
    assert (values["model"], values["optimizer"], values["epochs"], values["batch_size"]) == (
        "baseline",
        "sgd",
        10,
        128,
    )


def test_a_recipe_may_be_a_file_of_ones_own(tmp_path):
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
def test_a_file_that_is_no_recipe_is_explained(tmp_path, text, words):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(InputError, match=words):
        read_recipe(str(path))


@pytest.mark.parametrize("name", ["wurst", "missing.toml", "../options"])
def test_a_recipe_that_is_not_there_is_explained(name):
    with pytest.raises(InputError, match=r"--recipe: expected one of .*paper.* or a \.toml file, found"):
        read_recipe(name)


@pytest.mark.parametrize(
    ("text", "expected"),
    [('model = "vgg16"', True), ('head = "gap"', True), ("epochs = 1", False), ('model = ["vgg16"]', False)],
)
def test_a_recipe_that_adapts_a_published_network_is_known_by_what_it_says(tmp_path, text, expected):
    (tmp_path / "mine.toml").write_text(text)
    assert adapts(str(tmp_path / "mine.toml")) is expected
