"""Settings for all calls within a block: precision, inference mode, and traces that record the calls."""

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
_inference: ContextVar[bool] = ContextVar("inference_mode", default=False)
_traces: ContextVar[tuple[list[Call], ...]] = ContextVar("traces", default=())


@contextmanager
def scoped(variable: ContextVar[T], value: T) -> Iterator[None]:
    """Set the variable within the block, and restore it afterwards."""
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


@contextmanager
def precision(name: str) -> Iterator[None]:
    """Set the precision of products of float32 values within the block: "fp32", or "tf32" (three digits)."""
    require_precision("precision", name)
    with scoped(_precision, name):
        yield


def current_precision() -> str:
    """The precision set by the innermost `precision` block."""
    return _precision.get()


def require_precision(caller: str, name: str) -> None:
    """Raise `ValueError` for an unknown precision; the message begins with `caller`."""
    if name not in PRECISIONS:
        raise ValueError(f"{caller}: precision: expected one of {', '.join(PRECISIONS)}, found {name!r}")


@contextmanager
def inference_mode() -> Iterator[None]:
    """Declare that no gradient is needed within the block, so that faster, less exact kernels may run.

    A rounding error hardly changes a value, but it can change the argmax of a pooling window or the sign before a ReLU,
    and with it the gradient. So these kernels do not run in training by default.
    """
    with scoped(_inference, True):
        yield


def in_inference_mode() -> bool:
    """Whether this is within an `inference_mode` block."""
    return _inference.get()


@contextmanager
def trace() -> Iterator[list[Call]]:
    """Record which implementation runs, call by call: `with ops.trace() as calls: …`."""
    calls: list[Call] = []
    with scoped(_traces, (*_traces.get(), calls)):
        yield calls


def record(operation: str, implementation: str) -> None:
    """Append a call to every open trace."""
    for calls in _traces.get():
        calls.append(Call(operation, implementation))
