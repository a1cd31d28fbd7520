"""Recipes: complete sets of options, each in a readable file of its own beside this one."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from tinydnn.errors import InputError
from tinydnn.models import NETWORKS
from tinydnn.runs.finetune import FinetuneOptions
from tinydnn.runs.options import Options

FOLDER = Path(__file__).parent / "recipes"
NOT_OF_A_RECIPE = {
    "recipe",
    "data",
    "split",
    "test_fraction",
    "folds",
    "fold",
    "seed",
    "skip_broken",
    "device",
    "precision",
}


def names() -> list[str]:
    """The recipes that come with tinydnn."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_recipe(name: str, kind: type[Options] = Options) -> dict[str, Any]:
    """The options of a recipe for a kind of run, by its name or from a TOML file of one's own.

    Raises `InputError` for a file that is not there, is no TOML, or sets what is no option of such a recipe.
    """
    values = _read(name)
    known = {field.name for field in fields(kind)} - NOT_OF_A_RECIPE
    if unknown := sorted(values.keys() - known):
        raise InputError(f"{name}: expected options of a recipe ({', '.join(sorted(known))}), found {unknown[0]}")
    return values


def adapts(name: str) -> bool:
    """Whether a recipe is one of `tinydnn finetune`: of a published network, or with an option of that alone."""
    values = _read(name)
    alone = {field.name for field in fields(FinetuneOptions)} - {field.name for field in fields(Options)}
    return values.get("model") in tuple(NETWORKS) or bool(values.keys() & alone)


def _read(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--recipe: expected one of {', '.join(names())} or a .toml file, found {name!r}") from None
    except (ValueError, IsADirectoryError) as error:
        raise InputError(f"{name}: expected a recipe in TOML, found something else ({error})") from None
