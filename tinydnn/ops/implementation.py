"""An implementation of an operation, and the arguments of a call as `supports` functions take them."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from types import SimpleNamespace
from typing import Any, TypeAlias

import numpy as np

from tinydnn.backend import Array, device_of

Backward: TypeAlias = Callable[..., Any]
Bias: TypeAlias = Array | None  # None: no bias

REFERENCE = "reference"
DEVICES = ("cpu", "cuda", "any")


class Arguments(SimpleNamespace):
    """The arguments of a call by name, defaults included: `arguments.x`, `arguments.stride`."""


def device_of_call(arguments: Arguments) -> str:
    """The device of the arrays, which is the same for all after the operation's check."""
    for value in vars(arguments).values():
        if hasattr(value, "dtype") and not isinstance(value, np.generic):
            return device_of(value)
    return device_of(None)


Supports: TypeAlias = Callable[[Arguments], bool]


def always(arguments: Arguments) -> bool:
    return True


@dataclass(frozen=True)
class Implementation:
    """One way to compute an operation.

    device: where it runs, "cpu", "cuda" or "any". priority: among the implementations that support the arguments, the
    highest runs; 0 runs only on request. inference_priority: replaces the priority in `inference_mode`. supports:
    whether it supports these arguments. forward_only: the reference computes the gradients. precision: "tf32" if its
    products of float32 values are accurate to three digits only; it then runs by default only in `precision("tf32")`.
    """

    name: str
    function: Callable[..., tuple[Array, Backward]]
    device: str = "cpu"
    priority: int = 0
    supports: Supports = always
    forward_only: bool = False
    precision: str = "fp32"
    inference_priority: int | None = None

    def accepts(self, arguments: Arguments) -> bool:
        """Whether it runs on the device of the arguments and supports them."""
        return self.device in (device_of_call(arguments), "any") and self.supports(arguments)

    @cached_property
    def label(self) -> str:
        """The name for display, with a note where the gradients are the reference's."""
        return f"{self.name}, backward: {REFERENCE}" if self.forward_only else self.name
