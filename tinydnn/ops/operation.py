"""The contract of an operation, `value, backward = op(…)`, and the choice among its implementations.

An operation is a pure function. It returns its value and its backward function, whose closure holds all that the
gradient needs. The function that defines the operation is its reference. Other implementations with the same signature
register under a name. `op.which(…)` predicts the choice, and `trace()` (`tinydnn.ops.context`) records it.
"""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import update_wrapper, wraps
from types import MappingProxyType
from typing import Any, Generic, ParamSpec, Self, TypeAlias

from tinydnn.backend import Array
from tinydnn.ops import context
from tinydnn.ops.implementation import (
    DEVICES,
    REFERENCE,
    Arguments,
    Backward,
    Implementation,
    Supports,
    always,
    device_of_call,
)

P = ParamSpec("P")
Function: TypeAlias = Callable[P, tuple[Array, Backward]]

_operations: dict[str, "Operation[Any]"] = {}
_choices: ContextVar[dict[str, str]] = ContextVar("choices", default={})  # noqa: B039 - never written to


class Operation(Generic[P]):
    """A mathematical operation with a reference and any number of named implementations."""

    def __init__(self, reference: Function[P], check: Callable[P, None]) -> None:
        update_wrapper(self, reference)
        self.name = reference.__name__
        self.check = check
        if check.__module__ == reference.__module__:
            check.__qualname__ = self.name  # Python's messages on missing arguments name the operation
        self._implementations = {REFERENCE: Implementation(REFERENCE, reference, "any")}
        self.implementations = MappingProxyType(self._implementations)  # by name, in the order of registration
        self.__signature__ = _bare_signature(reference)  # the docstring has shapes; an array's type is 90 characters
        self._parameters = self.__signature__.parameters
        self._defaults = {name: p.default for name, p in self._parameters.items() if p.default is not p.empty}
        self._ranked: dict[tuple[str, str, bool], list[Implementation]] = {}
        registered = _operations.get(self.name)
        if registered is not None and registered.__module__ != reference.__module__:
            raise ValueError(f"operation: expected a new name, found {self.name!r} of {registered.__module__}")
        _operations[self.name] = self

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> tuple[Array, Backward]:
        self.check(*args, **kwargs)
        implementation = self._choose(self.bind(*args, **kwargs))
        context.record(self.name, implementation.label)
        value, backward = implementation.function(*args, **kwargs)
        return value, _checked(backward, value, self.name)

    def __get__(self, instance: object, owner: type | None = None) -> Self:
        """The operation itself. Having this method, it counts as a function, and `help` shows its signature."""
        return self

    def __repr__(self) -> str:
        return f"<operation {self.name}{self.__signature__}: {', '.join(self.implementations)}>"

    def which(self, *args: P.args, **kwargs: P.kwargs) -> str:
        """The name of the implementation that would run for these arguments in this context."""
        self.check(*args, **kwargs)
        return self._choose(self.bind(*args, **kwargs)).name

    def bind(self, *args: P.args, **kwargs: P.kwargs) -> Arguments:
        """The arguments of a call by name, with defaults, as `supports` functions take them."""
        return Arguments(**self._defaults | dict(zip(self._parameters, args, strict=False)) | kwargs)

    def names(self, device: str = "cpu") -> list[str]:
        """The names of the implementations for a device, "cpu" or "cuda", in the order of registration."""
        return [entry.name for entry in self.implementations.values() if entry.device in (device, "any")]

    def supporting(self, *args: P.args, **kwargs: P.kwargs) -> list[str]:
        """The names of the implementations that support these arguments on their device."""
        arguments = self.bind(*args, **kwargs)
        return [entry.name for entry in self.implementations.values() if entry.accepts(arguments)]

    def implementation(
        self,
        name: str,
        *,
        device: str = "cpu",
        priority: int = 0,
        inference_priority: int | None = None,
        supports: Supports = always,
        precision: str = "fp32",
    ) -> Callable[[Function[P]], Function[P]]:
        """Register the decorated function under a name; `Implementation` describes the options.

        Raises `TypeError` if its signature differs from the reference's, and `ValueError` for an unknown device or a
        name that another module has registered. A module may register its own names again, as notebooks do.
        """

        def register(function: Function[P]) -> Function[P]:
            self._register(
                Implementation(
                    name, function, device, priority, supports,
                    precision=precision, inference_priority=inference_priority,
                )
            )  # fmt: skip
            return function

        return register

    def forward(
        self, name: str, *, device: str = "cpu", priority: int = 0, supports: Supports = always
    ) -> Callable[[Callable[P, Array]], Callable[P, Array]]:
        """Register a function that returns the value only. The reference computes the gradients from scratch.

        The options are those of `implementation`. The label notes it.
        """

        def register(function: Callable[P, Array]) -> Callable[P, Array]:
            @wraps(function)
            def paired(*args: P.args, **kwargs: P.kwargs) -> tuple[Array, Backward]:
                def backward(dz: Array, **options: Any) -> Any:
                    return self.implementations[REFERENCE].function(*args, **kwargs)[1](dz, **options)

                return function(*args, **kwargs), backward

            self._register(Implementation(name, paired, device, priority, supports, forward_only=True))
            return function

        return register

    def unregister(self, name: str) -> None:
        """Remove an implementation, if it is registered. Raises `ValueError` for the reference."""
        if name == REFERENCE:
            raise ValueError(f"{self.name}: expected an implementation other than the reference, found {name!r}")
        self._implementations.pop(name, None)
        self._ranked.clear()

    def _register(self, new: Implementation) -> None:
        where = f"{self.name} implementation {new.name!r}"
        if new.device not in DEVICES:
            raise ValueError(f"{where}: device: expected one of {', '.join(DEVICES)}, found {new.device!r}")
        context.require_precision(where, new.precision)
        expected, found = self.__signature__, _bare_signature(new.function)
        if str(expected) != str(found):
            raise TypeError(f"{where}: expected the parameters {expected}, found {found}")
        registered = self.implementations.get(new.name)
        if registered is not None and registered.function.__module__ != new.function.__module__:
            raise ValueError(
                f"{where}: expected a new name, found one that {registered.function.__module__} has registered"
            )
        self._implementations[new.name] = new
        self._ranked.clear()

    def _choose(self, arguments: Arguments) -> Implementation:
        device = device_of_call(arguments)
        requested = _choices.get().get(self.name)
        if requested is not None:
            implementation = self.implementations[requested]
            if not implementation.accepts(arguments):
                raise ValueError(
                    f"{self.name}: the requested implementation {requested!r} (device {implementation.device}) does "
                    f"not support these arguments on {device}"
                )
            return implementation
        situation = device, context.current_precision(), context.in_inference_mode()
        if situation not in self._ranked:
            self._ranked[situation] = self._rank(*situation)
        for implementation in self._ranked[situation]:
            if implementation.supports(arguments):
                return implementation
        return self.implementations[REFERENCE]

    def _rank(self, device: str, precision: str, inference: bool) -> list[Implementation]:
        """The implementations that may run without a request, by descending priority, without the reference."""

        def priority(entry: Implementation) -> int:
            return entry.inference_priority if inference and entry.inference_priority is not None else entry.priority

        candidates = [
            entry
            for entry in self.implementations.values()
            if priority(entry) > 0 and entry.precision in ("fp32", precision) and entry.device in (device, "any")
        ]
        return sorted(candidates, key=priority, reverse=True)


def operation(*, check: Callable[P, None]) -> Callable[[Function[P]], Operation[P]]:
    """Make the decorated function the reference of an operation of its name.

    `check` takes the same arguments and raises `TypeError` or `ValueError` for invalid ones. It runs before every
    implementation, so none needs checks of its own.
    """

    def decorate(reference: Function[P]) -> Operation[P]:
        return Operation(reference, check)

    return decorate


def operations() -> dict[str, Operation[Any]]:
    """Every operation by name."""
    return dict(_operations)


@contextmanager
def use(**choices: str) -> Iterator[None]:
    """Run the named implementations within the block: `with ops.use(conv2d="im2col"): …`.

    The innermost choice wins. Raises `ValueError` at once for an unknown name, and on a call whose arguments the
    implementation does not support.
    """
    for name, implementation in choices.items():
        if name not in _operations:
            raise ValueError(f"use: expected an operation ({', '.join(sorted(_operations))}), found {name!r}")
        known = _operations[name].implementations
        if implementation not in known:
            raise ValueError(
                f"use: expected an implementation of {name} ({', '.join(known)}), found {implementation!r}"
            )
    with context.scoped(_choices, {**_choices.get(), **choices}):
        yield


def overridden(*names: str) -> bool:
    """Whether `use` has chosen an implementation of any of these operations in this context."""
    return not _choices.get().keys().isdisjoint(names)


def _checked(backward: Backward, value: Array, name: str) -> Backward:
    """`backward`, preceded by a check that the upstream gradient has the shape and dtype of the value."""
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


def _bare_signature(function: Callable[..., Any]) -> inspect.Signature:
    """Names, kinds and defaults of a function's parameters, without annotations."""
    parameters = inspect.signature(function).parameters.values()
    return inspect.Signature([parameter.replace(annotation=inspect.Parameter.empty) for parameter in parameters])
