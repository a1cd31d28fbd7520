"""Recipes: sets of options, each in a TOML file."""

import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from tinydnn.errors import InputError
from tinydnn.models import MODELS, NETWORKS
from tinydnn.runs.options import FinetuneOptions, Options

FOLDER = Path(__file__).parent / "recipes"
NOT_IN_RECIPES = {
    "recipe", "data", "split", "test_fraction", "folds", "fold", "seed", "skip_broken", "device", "precision",
}  # fmt: skip


def names() -> list[str]:
    """The names of the recipes that come with tinydnn."""
    return sorted(path.stem for path in FOLDER.glob("*.toml"))


def read_recipe(name: str, kind: type[Options] = Options) -> dict[str, Any]:
    """The options of a recipe, by its name or from a TOML file, for options of a kind.

    Raises `InputError` for a missing or malformed file and for keys that are not options of such a recipe.
    """
    values = _read(name)
    other = FinetuneOptions if kind is Options else Options
    if values.get("model") in tuple(NETWORKS if other is FinetuneOptions else MODELS):
        raise InputError(
            f"--recipe: expected a recipe of `tinydnn {kind.command}`, found {name}, one of `tinydnn {other.command}`"
        )
    allowed = {field.name for field in fields(kind)} - NOT_IN_RECIPES
    if unknown := sorted(values.keys() - allowed):
        raise InputError(f"{name}: expected options of a recipe ({', '.join(sorted(allowed))}), found {unknown[0]}")
    return values


def is_finetune_recipe(name: str) -> bool:
    """Whether a recipe is for fine-tuning: it names a pretrained network or sets an option of fine-tuning."""
    values = _read(name)
    finetune_only = {field.name for field in fields(FinetuneOptions)} - {field.name for field in fields(Options)}
    return values.get("model") in tuple(NETWORKS) or not finetune_only.isdisjoint(values)


def _read(name: str) -> dict[str, Any]:
    path = Path(name) if name.endswith(".toml") else FOLDER / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"--recipe: expected one of {', '.join(names())} or a .toml file, found {name!r}") from None
    except (ValueError, IsADirectoryError) as error:
        raise InputError(f"{name}: expected a recipe in TOML, found something else ({error})") from None
