"""Arguments and options of several commands, from their declarations in `tinydnn.runs.options`."""

import inspect
from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, TypeVar, get_args

import typer

from tinydnn.cli.threads import threads_option
from tinydnn.data.augment import Augmentation
from tinydnn.runs import recipes
from tinydnn.runs.declarations import Panel, declarations
from tinydnn.runs.options import SPLITS, Options

F = TypeVar("F", bound=Callable[..., Any])
PANELS = (None, *get_args(Panel))

# Each shorthand for a change of `--augment`, with its help.
CHANGES = {
    "rotate": "Rotate by up to this many degrees.",
    "shift": "Shift by up to this share of the side.",
    "zoom": "Zoom in or out by up to this fraction.",
    "flip": "Flip left to right, with probability 1/2.",
    "brightness": "Brighten or darken; 0.2: by up to 20 %.",
    "contrast": "Raise or lower the contrast; 0.2: by up to 20 %.",
    "cutout": "Blacken a square with this share of the side.",
}


def declared(name: str, kind: type[Options] = Options, *, panel: Panel | None = None) -> Any:
    """The Typer option (of `data`: the argument) of a declaration; `panel` groups it in the help."""
    declaration = declarations(kind)[name]
    if name == "data":
        return typer.Argument(help=declaration.help)
    flags = (f"--{declaration.flag}",) if declaration.flag else ()
    named = {"recipe": recipes.names(), "split": SPLITS}  # a recipe may be a file, and folds have a third split
    completions = [str(choice) for choice in named.get(name, declaration.choices)]
    return typer.Option(
        *flags,
        help=declaration.help,
        rich_help_panel=panel,
        metavar="<choice>" if declaration.choices else None,  # the help text lists them
        autocompletion=(lambda: completions) if completions else None,
    )


Data = Annotated[str, typer.Argument(help="Folder of .mat files, zips, image folder or prepared file.")]
Size = Annotated[int, declared("size")]
Crop = Annotated[str, declared("crop")]
Margin = Annotated[float, declared("margin")]
SkipBroken = Annotated[bool, declared("skip_broken")]
Augment = Annotated[str, declared("augment")]

Threads = Annotated[int | None, threads_option("Hardware")]
Out = Annotated[Path | None, typer.Option(help="Folder of the run; by default runs/MODEL-N.", rich_help_panel="Run")]
Resume = Annotated[bool, typer.Option("--resume", help="Resume the run in --out.", rich_help_panel="Run")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace the run in --out.", rich_help_panel="Run")]


def options_of(
    kind: type[Options], only: Collection[str] = (), defaults: Mapping[str, object] = MappingProxyType({})
) -> Callable[[F], F]:
    """A decorator that gives a command the declared options of `kind` instead of its `**options`.

    only: the names of the options; by default those of a single run and `CHANGES`. defaults: by name, where they
    differ from the declared ones. Typer reads the signature, which is set here.
    """

    def decorate(command: F) -> F:
        parameters = []
        for field in fields(kind):
            declaration = declarations(kind)[field.name]
            if field.name in only or not (only or field.name in ("folds", "fold") or len(declaration.choices) == 1):
                info = declared(field.name, kind, panel=declaration.panel)
                parameters.append(_parameter(field.name, field.type, info, defaults.get(field.name, field.default)))
        for field in () if only else fields(Augmentation):
            info = typer.Option(help=CHANGES[field.name], rich_help_panel="Augmentation")
            parameters.append(_parameter(field.name, field.type, info, None))
        own = inspect.signature(command).parameters.values()
        parameters += [entry.replace(kind=entry.KEYWORD_ONLY) for entry in own if entry.kind != entry.VAR_KEYWORD]
        command.__signature__ = inspect.Signature(sorted(parameters, key=_panel_index))  # type: ignore[attr-defined]
        return command

    return decorate


def _parameter(name: str, kind: Any, info: Any, default: object) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, info])


def _panel_index(parameter: inspect.Parameter) -> int:
    _, *infos = get_args(parameter.annotation) or [None]
    return PANELS.index(getattr(infos[0], "rich_help_panel", None)) if infos else 0
