"""The forward and backward pass of a function under test; whatever breaks their form raises `ContractError`."""

import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.report import Check, Verdict
from tinydnn.ops import Backward

Function: TypeAlias = Callable[..., tuple[Array, Backward]]
Point: TypeAlias = Sequence[Array | None]  # the arguments that have a gradient; None for one that is left out
Gradients: TypeAlias = tuple[Any, ...]  # an array, or None, for each argument


class ContractError(Exception):
    """The function violates the contract of an operation; `check` holds the argument, the verdict and the reason."""

    def __init__(self, argument: str, verdict: Verdict, reason: str, error: float = math.inf) -> None:
        super().__init__(f"{argument}: {verdict}: {reason}")
        self.check = Check(argument, verdict, error, reason)


@dataclass(frozen=True)
class Forward:
    """A forward pass `value, backward = function(*inputs)`; `names` are those of the inputs."""

    names: Sequence[str]
    inputs: Point
    value: Array
    backward: Backward

    @classmethod
    def run(cls, function: Function, names: Sequence[str], inputs: Point) -> Self:
        """Call the function. It must return an array of the inputs' dtype and a function, and not write to `inputs`."""
        before = bits(inputs)
        returned: Any = function(*inputs)
        if not isinstance(returned, tuple) or len(returned) != 2 or not callable(returned[1]):
            found = type(returned).__name__
            raise ContractError("value", Verdict.RETURN, f"expected (value, backward), found {found}")
        _expect_array("value", returned[0], _dtype(inputs))
        _expect_unwritten("forward", names, before, inputs)
        return cls(names, inputs, *returned)

    def upstream(self, rng: np.random.Generator) -> Array:
        """A random upstream gradient dz."""
        return array_module(self.value).asarray(rng.standard_normal(self.value.shape), self.value.dtype)

    def gradients(self, dz: Array) -> Gradients:
        """backward(dz): one gradient for each input, of its shape and dtype. Backward must not write to any array."""
        arrays = [*self.inputs, self.value, dz]
        before = bits(arrays)
        gradients = as_tuple(self.backward(dz))
        if len(gradients) != len(self.names):
            reason = f"expected {len(self.names)} gradients ({', '.join(self.names)}), found {len(gradients)}"
            raise ContractError(self.names[0], Verdict.RETURN, reason)
        for name, x, gradient in zip(self.names, self.inputs, gradients, strict=True):
            if gradient is not None:
                _expect_array(name, gradient, _dtype(self.inputs))
            expected, found = (getattr(array, "shape", None) for array in (x, gradient))
            if expected != found:
                raise ContractError(name, Verdict.SHAPE, f"expected shape {expected}, found {found}")
        _expect_unwritten("backward", [*self.names, "value", "dz"], before, arrays)
        return gradients


def argument_names(function: Function, count: int) -> list[str]:
    """The names of the first `count` parameters; "argument k" for those without one."""
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*named[:count], *(f"argument {k}" for k in range(len(named), count))]


def as_tuple(returned: Any) -> tuple[Any, ...]:
    """The result of a backward function, a single gradient or a tuple of them, as a tuple."""
    return returned if isinstance(returned, tuple) else (returned,)


def bits(arrays: Iterable[Array | None]) -> list[bytes | None]:
    """The bytes of each array in reading order; None for None."""
    return [None if array is None else array.tobytes() for array in arrays]


def _dtype(inputs: Point) -> np.dtype:
    return next(x.dtype for x in inputs if x is not None)


def _expect_array(name: str, array: Any, dtype: np.dtype) -> None:
    if not hasattr(array, "dtype"):
        raise ContractError(name, Verdict.NOT_AN_ARRAY, f"expected an array, found {type(array).__name__}")
    if array.dtype != dtype:
        raise ContractError(name, Verdict.DTYPE, f"expected {dtype}, found {array.dtype}")


def _expect_unwritten(direction: str, names: Sequence[str], before: list[bytes | None], arrays: Point) -> None:
    for name, old, new in zip(names, before, bits(arrays), strict=True):
        if old != new:
            raise ContractError(name, Verdict.WRITES, f"{direction} wrote to {name}")
