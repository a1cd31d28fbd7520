"""The help of the program and its commands."""

import inspect
from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup


class _WithoutFlagTypes:
    """Flags without a type in the help: Typer shows "--resume <bool>", but takes no value."""

    def get_params(self, ctx: Any) -> list[Any]:
        parameters: list[Any] = super().get_params(ctx)  # type: ignore[misc]
        for parameter in parameters:
            if getattr(parameter, "is_flag", False):
                parameter.metavar = ""
        return parameters


class _Command(_WithoutFlagTypes, TyperCommand):
    """A command of the program."""


class _Group(_WithoutFlagTypes, TyperGroup):
    """The program, or a group of its commands."""

    default: str | None = None  # the command that takes the arguments when the first of them names none

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if self.default and args and args[0] not in (*self.commands, *ctx.help_option_names):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """The help of the default command, if there is one, and then the other commands."""
        shown = copy(self)
        if self.default:
            command = self.commands[self.default]
            shown.params, shown.help, shown.epilog = command.params, command.help, command.epilog
            shown.subcommand_metavar = ""
        super(_Group, shown).format_help(ctx, formatter)


class Program(typer.Typer):
    """A Typer application whose commands take -h and show examples at the end of their help.

    default: the command that takes the arguments when the first of them is not the name of a command.
    """

    def __init__(self, *, default: str | None = None, **options: Any) -> None:
        help_names = {"help_option_names": ["-h", "--help"]}
        super().__init__(
            cls=type("_Group", (_Group,), {"default": default}),
            no_args_is_help=True, pretty_exceptions_enable=False, context_settings=help_names, **options,
        )  # fmt: skip

    def command(self, name: str | None = None, *, examples: Sequence[str] = (), **options: Any) -> Callable[..., Any]:
        """A decorator that adds a command."""
        epilog = "\n".join(["Examples:", *examples])

        def register(function: Callable[..., Any]) -> Any:
            text = options.pop("help", None) or inspect.getdoc(function) or ""
            paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
            return add(name, cls=_Command, epilog=epilog, help="\n\n".join(paragraphs), **options)(function)

        add = super().command
        return register
