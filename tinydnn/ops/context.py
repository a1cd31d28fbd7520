"""What holds for all calls within a block: how exact they must be, whether a gradient may follow, who records them."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

PRECISIONS = ("fp32", "tf32")


@dataclass(frozen=True)
class Call:
    """A record of one call: the operation and the label of the implementation that ran."""

    operation: str
    implementation: str


_precision: ContextVar[str] = ContextVar("precision", default="fp32")
_predicting: ContextVar[bool] = ContextVar("predicting", default=False)
_traces: ContextVar[tuple[list[Call], ...]] = ContextVar("traces", default=())


@contextmanager
def holding(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Within the block, the variable has this value; afterwards the one that it had before."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Within the block, products of float32 numbers may be as inexact as `name` says: "fp32" or "tf32"."""
    require_precision("precision", name)
    with holding(_precision, name):
        yield


def asked_precision() -> str:
    """What `precision` says, here and now."""
    return _precision.get()


def require_precision(what: str, found: str) -> None:
    """Raise `ValueError` for a precision that does not exist; `what` names who asked for it."""
    if found not in PRECISIONS:
        raise ValueError(f"{what}: precision: expected one of {', '.join(PRECISIONS)}, found {found!r}")


@contextmanager
def predicting() -> Iterator[None]:
    """Within the block, no gradient will be asked for, so that the choice may fall on what is faster and less exact.

    A value that is rounded otherwise changes little by itself. But it may change who wins in a pooling and what ReLU
    cuts off, and then a gradient goes another way.
    """
    with holding(_predicting, True):
        yield


def is_predicting() -> bool:
    """Whether this is within a block of `predicting`."""
    return _predicting.get()


@contextmanager
def trace() -> Iterator[list[Call]]:
    """Record which implementation ran, call by call: `with ops.trace() as calls: …`."""
    calls: list[Call] = []
    with holding(_traces, (*_traces.get(), calls)):
        yield calls


def record(operation: str, implementation: str) -> None:
    """Tell every `trace` that is open of a call."""
    for calls in _traces.get():
        calls.append(Call(operation, implementation))
