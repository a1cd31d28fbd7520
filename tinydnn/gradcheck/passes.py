"""The forward and backward pass of a function under test; whatever breaks their form raises `ContractError`."""

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.report import Check, Verdict
from tinydnn.ops import Backward

Function: TypeAlias = Callable[..., tuple[Array, Backward]]
# The arguments that have a gradient, or their gradients, by name; None for an argument that is left out.
Named: TypeAlias = dict[str, Any]


class ContractError(Exception):
    """The function violates the contract of an operation; `check` holds the argument, the verdict and the reason."""

    def __init__(self, argument: str, verdict: Verdict, reason: str, error: float = math.inf) -> None:
        super().__init__(f"{argument}: {verdict}: {reason}")
        self.check = Check(argument, verdict, error, reason)


@dataclass(frozen=True)
class Forward:
    """A forward pass: `value, backward = function(*inputs.values())`."""

    inputs: Named
    value: Array
    backward: Backward

    @classmethod
    def run(cls, function: Function, inputs: Named) -> Self:
        """Call the function. It must return an array of the inputs' dtype and a function, and not write to `inputs`."""
        before = bits(inputs)
        returned: Any = function(*inputs.values())
        if not isinstance(returned, tuple) or len(returned) != 2 or not callable(returned[1]):
            found = type(returned).__name__
            raise ContractError("value", Verdict.RETURN, f"expected (value, backward), found {found}")
        _expect_array("value", returned[0], _dtype(inputs))
        expect_bits(inputs, before, Verdict.WRITES, "forward wrote to this array")
        return cls(inputs, *returned)

    def upstream(self, rng: np.random.Generator) -> Array:
        """A random upstream gradient dz."""
        return array_module(self.value).asarray(rng.standard_normal(self.value.shape), self.value.dtype)

    def gradients(self, dz: Array, *, skip_dx: bool = False) -> Named:
        """backward(dz): one gradient for each input, of its shape and dtype. Backward must not write to any array.

        skip_dx: call it with need_dx=False, so that the first gradient must be None.
        """
        outputs = {"value": self.value, "dz": dz}
        inputs_before, outputs_before = bits(self.inputs), bits(outputs)
        gradients = as_tuple(self.backward(dz, need_dx=False) if skip_dx else self.backward(dz))
        if len(gradients) != len(self.inputs):
            reason = f"expected {len(self.inputs)} gradients ({', '.join(self.inputs)}), found {len(gradients)}"
            raise ContractError(next(iter(self.inputs)), Verdict.RETURN, reason)
        for k, ((name, x), gradient) in enumerate(zip(self.inputs.items(), gradients, strict=True)):
            if skip_dx and k == 0:
                if gradient is not None:
                    raise ContractError(name, Verdict.NEED_DX, "expected None with need_dx=False, found a gradient")
                continue
            if gradient is not None:
                _expect_array(name, gradient, _dtype(self.inputs))
            expected, found = (getattr(array, "shape", None) for array in (x, gradient))
            if expected != found:
                verdict = Verdict.NEED_DX if skip_dx and gradient is None else Verdict.SHAPE
                raise ContractError(name, verdict, f"expected shape {expected}, found {found}")
        expect_bits(self.inputs, inputs_before, Verdict.WRITES, "backward wrote to this array")
        expect_bits(outputs, outputs_before, Verdict.WRITES, "backward wrote to this array")
        return dict(zip(self.inputs, gradients, strict=True))


def argument_names(function: Function, count: int) -> list[str]:
    """The names of the first `count` parameters; "argument k" for those without one."""
    parameters = inspect.signature(function).parameters.values()
    named = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*named[:count], *(f"argument {k}" for k in range(len(named), count))]


def as_tuple(returned: Any) -> tuple[Any, ...]:
    """The result of a backward function, a single gradient or a tuple of them, as a tuple."""
    return returned if isinstance(returned, tuple) else (returned,)


def bits(arrays: Named) -> dict[str, bytes | None]:
    """The bytes of each array in reading order; None for None."""
    return {name: None if array is None else array.tobytes() for name, array in arrays.items()}


def expect_bits(arrays: Named, expected: dict[str, bytes | None], verdict: Verdict, reason: str) -> None:
    """Raise `ContractError` for the first array with other bits than `expected`."""
    for name, found in bits(arrays).items():
        if found != expected[name]:
            raise ContractError(name, verdict, reason)


def by_name(names: Sequence[str], arrays: Sequence[Any]) -> Named:
    """The arrays by name. Raises `ValueError` if two names are equal."""
    if len(set(names)) < len(names):
        raise ValueError(f"names: expected distinct names, found {', '.join(names)}")
    return dict(zip(names, arrays, strict=True))


def copies(arrays: Named) -> Named:
    """A copy of each array; None for None."""
    return {name: None if array is None else array.copy() for name, array in arrays.items()}


def _dtype(inputs: Named) -> np.dtype:
    return next(x.dtype for x in inputs.values() if x is not None)


def _expect_array(name: str, array: Any, dtype: np.dtype) -> None:
    if not hasattr(array, "dtype"):
        raise ContractError(name, Verdict.NOT_AN_ARRAY, f"expected an array, found {type(array).__name__}")
    if array.dtype != dtype:
        raise ContractError(name, Verdict.DTYPE, f"expected {dtype}, found {array.dtype}")
