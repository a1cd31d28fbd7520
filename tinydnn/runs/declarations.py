"""Options as dataclass fields, each declared once: type, default, help text, help panel and allowed values.

The checks of a dataclass, its recipes and its command line follow from these declarations.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields
from typing import Any, Literal, get_args

from tinydnn.errors import InputError

Panel = Literal["Data", "Model", "Optimisation", "Augmentation", "Evaluation", "Hardware", "Run"]
TYPE_NAMES = {str: "a name", int: "a whole number", float: "a number", bool: "true or false"}


@dataclass(frozen=True)
class Limit:
    """A condition on the value of an option; `expected` describes it in error messages."""

    expected: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True)
class Declaration:
    """What an option declares beside its type and its default.

    template: the help text, where "{choices}" stands for a list of `choices`. expected: its type in words, for error
    messages. flag: its name on the command line, if that is not the name of the field.
    """

    panel: Panel
    template: str
    choices: Collection[Any] = ()
    limit: Limit | None = None
    expected: str = ""
    flag: str = ""

    @property
    def help(self) -> str:
        """The help text."""
        *first, last = map(str, self.choices or [""])
        return self.template.format(choices=f"{', '.join(first)} or {last}")

    def flag_of(self, name: str) -> str:
        """The option of the field `name` on the command line, without its dashes."""
        return self.flag or name.replace("_", "-")

    def check(self, name: str, kind: Any, value: object) -> None:
        """Raise `InputError` unless the value of the field `name` has its type `kind` and an allowed value."""
        option, accepted = self.flag_of(name), get_args(kind) or (kind,)
        if value is None and type(None) in accepted:
            return
        if self.choices:
            require_choice(option, value, self.choices)
            return
        types = (float, int) if accepted[0] is float else accepted[0]
        valid = isinstance(value, types) and isinstance(value, bool) == (types is bool)
        require(option, value, valid, self.expected or TYPE_NAMES[accepted[0]])
        if self.limit is not None:
            require(option, value, self.limit.holds(value), self.limit.expected)


def option(default: object, panel: Panel, template: str, **declared: Any) -> Any:
    """A dataclass field that declares an option, see `Declaration`."""
    return field(default=default, metadata={"declaration": Declaration(panel, template, **declared)})


def declarations(kind: type) -> dict[str, Declaration]:
    """The declarations of a dataclass by field. A subclass that restates a default inherits the rest."""
    declared: dict[str, Declaration] = {}
    for base in reversed(kind.__mro__[:-1]):
        declared |= {field.name: field.metadata["declaration"] for field in fields(base) if field.metadata}
    return declared


def require_choice(option: str, value: object, choices: Collection[Any]) -> None:
    """Raise `InputError` unless the value is one of the choices."""
    valid = any(type(value) is type(choice) and value == choice for choice in choices)
    require(option, repr(value), valid, f"one of {', '.join(map(str, choices))}")


def require(option: str, value: object, valid: bool, expected: str) -> None:
    """Raise `InputError` unless the value is valid."""
    if not valid:
        raise InputError(f"--{option}: expected {expected}, found {value}")
