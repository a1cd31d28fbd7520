"""The contract of an operation: `value, backward = op(…)`, and which implementation of it runs.

An operation is a pure function. It returns its value and the function that carries a gradient back through
it; what that function needs, its closure holds. The function that defines the operation is its reference.
Other implementations of the same signature register under a name, and the choice among them is always
visible: `op.which(…)` says it beforehand, `trace()` (`tinydnn.ops.context`) records it.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import update_wrapper, wraps
from typing import Any, Generic, ParamSpec, TypeAlias

from tinydnn.backend import Array, device_of
from tinydnn.ops import context

P = ParamSpec("P")
Backward: TypeAlias = Callable[..., Any]
Function: TypeAlias = Callable[P, tuple[Array, Backward]]

REFERENCE = "reference"
DEVICES = ("cpu", "cuda", "any")


@dataclass(frozen=True)
class Implementation:
    """One way to compute an operation.

    `device` is "cpu", "cuda" or "any". Among those that support the arguments, the one of the highest
    `priority` runs by itself; the reference has 0, and what is registered with 0 runs only when asked for. Where no
    gradient will be asked for (`predicting`), `when_predicting` counts in its place. One that is `forward_only`
    computes the value, and the reference the gradients. `precision` is "tf32" where products of float32 numbers are
    only good to three digits; such a one runs by itself only within `precision("tf32")`.
    """

    name: str
    function: Callable[..., tuple[Array, Backward]]
    device: str
    priority: int
    supports: Callable[..., bool]
    forward_only: bool = False
    precision: str = "fp32"
    when_predicting: int | None = None

    def rank(self) -> int:
        """The priority here and now."""
        return self.when_predicting if context.is_predicting() and self.when_predicting is not None else self.priority

    def covers(self, device: str, *args: Any, **kwargs: Any) -> bool:
        """Whether it takes these arguments, which are on `device`."""
        return self.device in (device, "any") and self.supports(*args, **kwargs)

    @property
    def label(self) -> str:
        """What runs, for people: the name, and whose gradients where they are not its own."""
        return f"{self.name}, backward: {REFERENCE}" if self.forward_only else self.name


_operations: dict[str, "Operation[Any]"] = {}
_choices: ContextVar[dict[str, str]] = ContextVar("choices", default={})  # noqa: B039 - never written to


class Operation(Generic[P]):
    """A mathematical operation with a reference and any number of named implementations."""

    def __init__(self, reference: Function[P], check: Callable[P, None]) -> None:
        update_wrapper(self, reference)
        self.name = reference.__name__
        self.check = check
        self.implementations: dict[str, Implementation] = {
            REFERENCE: Implementation(REFERENCE, reference, "any", 0, _always)
        }
        taken = _operations.get(self.name)
        if taken is not None and taken.__module__ != reference.__module__:
            raise ValueError(f"operation: expected a new name, found {self.name!r} of {taken.__module__}")
        _operations[self.name] = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Array, Backward]:
        self.check(*args, **kwargs)
        chosen = self._choose(*args, **kwargs)
        context.record(self.name, chosen.label)
        value, backward = chosen.function(*args, **kwargs)
        return value, _checked(backward, value, self.name)

    def __repr__(self) -> str:
        return f"<operation {self.name}: {', '.join(self.implementations)}>"

    def which(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The name of the implementation that would run for these arguments, here and now."""
        self.check(*args, **kwargs)
        return self._choose(*args, **kwargs).name

    def names(self, device: str = "cpu") -> list[str]:
        """The names of the implementations for arrays on a device, "cpu" or "cuda", in the order they registered."""
        return [one.name for one in self.implementations.values() if one.device in (device, "any")]

    def supporting(self, *args: P.args, **kwargs: P.kwargs) -> list[str]:
        """The names of the implementations that support these arguments, where they are."""
        device = _device(args, kwargs)
        return [one.name for one in self.implementations.values() if one.covers(device, *args, **kwargs)]

    def implementation(
        self,
        name: str,
        *,
        device: str = "cpu",
        priority: int = 0,
        when_predicting: int | None = None,
        supports: Callable[..., bool] | None = None,
        precision: str = "fp32",
    ) -> Callable[[Function[P]], Function[P]]:
        """Register the decorated function as the implementation `name` of this operation.

        `supports` takes the operation's arguments and says whether this implementation covers them. Raises
        `TypeError` where the signature differs from the reference's, `ValueError` for a device that does not exist
        and for a name that another module has taken (a module may register its own names again, as notebooks do).
        """

        def register(function: Function[P]) -> Function[P]:
            self._register(
                name, device, priority, supports, function, precision=precision, when_predicting=when_predicting
            )
            return function

        return register

    def forward(
        self,
        name: str,
        *,
        device: str = "cpu",
        priority: int = 0,
        supports: Callable[..., bool] | None = None,
    ) -> Callable[[Callable[P, Array]], Callable[P, Array]]:
        """Register a function that returns the value alone; gradients then come from the reference, computed anew.

        Otherwise as `implementation`. Whoever asks what runs is told so.
        """

        def register(function: Callable[P, Array]) -> Callable[P, Array]:
            @wraps(function)
            def paired(*args: P.args, **kwargs: P.kwargs) -> tuple[Array, Backward]:
                def backward(dz: Array, **options: Any) -> Any:
                    return self.implementations[REFERENCE].function(*args, **kwargs)[1](dz, **options)

                return function(*args, **kwargs), backward

            self._register(name, device, priority, supports, paired, forward_only=True)
            return function

        return register

    def _register(
        self,
        name: str,
        device: str,
        priority: int,
        supports: Callable[..., bool] | None,
        function: Function[P],
        forward_only: bool = False,
        precision: str = "fp32",
        when_predicting: int | None = None,
    ) -> None:
        if device not in DEVICES:
            raise ValueError(
                f"{self.name} implementation {name!r}: device: expected one of {', '.join(DEVICES)}, found {device!r}"
            )
        context.require_precision(f"{self.name} implementation {name!r}", precision)
        expected, found = _parameters(self.implementations[REFERENCE].function), _parameters(function)
        if expected != found:
            raise TypeError(
                f"{self.name} implementation {name!r}: expected the parameters ({expected}), found ({found})"
            )
        taken = self.implementations.get(name)
        if taken is not None and taken.function.__module__ != function.__module__:
            raise ValueError(
                f"{self.name} implementation {name!r}: expected a new name, found one that "
                f"{taken.function.__module__} has registered"
            )
        self.implementations[name] = Implementation(
            name, function, device, priority, supports or _always, forward_only, precision, when_predicting
        )

    def _choose(self, *args: Any, **kwargs: Any) -> Implementation:
        device = _device(args, kwargs)
        asked = _choices.get().get(self.name)
        if asked is not None:
            chosen = self.implementations[asked]
            if not chosen.covers(device, *args, **kwargs):
                raise ValueError(
                    f"{self.name}: the implementation {asked!r} that was asked for (device {chosen.device}) does not "
                    f"support these arguments on {device}"
                )
            return chosen
        able = (
            candidate
            for candidate in self.implementations.values()
            if candidate.rank() > 0
            and candidate.precision in ("fp32", context.asked_precision())
            and candidate.covers(device, *args, **kwargs)
        )
        return max(able, key=lambda one: one.rank(), default=self.implementations[REFERENCE])


def operation(*, check: Callable[P, None]) -> Callable[[Function[P]], Operation[P]]:
    """Make the decorated function the reference of an operation of its name.

    `check` takes the same arguments and raises `TypeError` or `ValueError` for what the operation cannot
    take; it runs before every implementation, so none needs checks of its own.
    """

    def decorate(reference: Function[P]) -> Operation[P]:
        return Operation(reference, check)

    return decorate


def operations() -> dict[str, Operation[Any]]:
    """Every operation by name."""
    return dict(_operations)


@contextmanager
def use(**choices: str) -> Iterator[None]:
    """Within the block, run the named implementations: `with ops.use(conv2d="im2col"): …`.

    The innermost choice counts. Raises `ValueError` at once for a name that does not exist, and on a call
    whose arguments the chosen implementation does not support.
    """
    for name, implementation in choices.items():
        if name not in _operations:
            raise ValueError(f"use: expected an operation ({', '.join(sorted(_operations))}), found {name!r}")
        known = _operations[name].implementations
        if implementation not in known:
            raise ValueError(
                f"use: expected an implementation of {name} ({', '.join(known)}), found {implementation!r}"
            )
    with context.holding(_choices, {**_choices.get(), **choices}):
        yield


def chosen(*names: str) -> bool:
    """Whether `use` has named an implementation, here and now, for any of these operations."""
    return any(name in _choices.get() for name in names)


def _device(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Where the arguments are. All arrays are on one device (checked), so one of them speaks for all."""
    return device_of(next((one for one in (*args, *kwargs.values()) if hasattr(one, "dtype")), None))


def _checked(backward: Backward, value: Array, name: str) -> Backward:
    """`backward`, which first holds the upstream gradient to the shape and dtype of the value."""
    shape, dtype = value.shape, value.dtype
    if shape == ():
        return backward

    @wraps(backward)
    def checked(dz: Array, **kwargs: Any) -> Any:
        if dz.shape != shape:
            raise ValueError(f"{name} backward: expected dz of the value's shape {shape}, found {dz.shape}")
        if dz.dtype != dtype:
            raise TypeError(f"{name} backward: expected dz of the value's dtype {dtype}, found {dz.dtype}")
        return backward(dz, **kwargs)

    return checked


def _parameters(function: Callable[..., Any]) -> str:
    """Names, kinds and defaults of a function's parameters, without their annotations."""
    parameters = inspect.signature(function).parameters.values()
    bare = [parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters]
    return str(inspect.Signature(bare))[1:-1]


def _always(*args: Any, **kwargs: Any) -> bool:
    return True
