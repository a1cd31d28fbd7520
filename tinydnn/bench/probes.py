"""The single questions that a check asks of a kernel, each of which a wrong one answers with a `Fault`."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from tinydnn.backend import Array
from tinydnn.gradcheck import gradcheck
from tinydnn.gradcheck.cases import Case
from tinydnn.gradcheck.contract import as_tuple
from tinydnn.kernels.cpu import memory
from tinydnn.ops import Backward, Implementation

DTYPES = ("float64", "float32")
ROUNDINGS = 1000  # of the dtype: how far a result may be from the reference in float64


class Fault(Exception):  # noqa: N818 - it is what a kernel has, not what went wrong here
    """What is wrong with a kernel, in a few words; the text says what was expected and found."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(detail)
        self.what = what


class Subject:
    """An implementation at work on a case."""

    def __init__(self, case: Case, implementation: Implementation) -> None:
        self.case, self.implementation = case, implementation

    def arrays(self, dtype: str, seed: int = 0) -> list[Array | None]:
        """Arguments that have a gradient."""
        return [x if x is None else x.astype(dtype) for x in self.case.arrays(seed)]

    def call(self, arrays: list[Array | None]) -> tuple[Array, Backward]:
        """Value and backward function, as the kernel itself returns them."""
        returned = self.implementation.function(*arrays, *self.case.extras(*arrays), **self.case.options)
        if not isinstance(returned, tuple) or len(returned) != 2 or not callable(returned[1]):
            raise Fault("wrong return", f"expected (value, backward), found {_kind(returned)}")
        if not isinstance(returned[0], np.ndarray | np.generic):
            raise Fault("not an array", f"expected an array as the value, found {_kind(returned[0])}")
        return returned[0], returned[1]

    def expected(self, arrays: list[Array | None]) -> tuple[Array, Backward]:
        """The same of the reference in float64."""
        return self.case.function("reference")(*(x if x is None else x.astype("float64") for x in arrays))

    def run(self, dtype: str) -> Array:
        """The value."""
        return self.call(self.arrays(dtype))[0]

    def gradients(self, dtype: str) -> tuple[list[Array | None], Array, Backward, tuple[Any, ...]]:
        """Arguments, an upstream gradient, the backward function and what it returns."""
        arrays = self.arrays(dtype)
        value, backward = self.call(arrays)
        dz = np.asarray(np.random.default_rng(1).standard_normal(value.shape), dtype)
        return arrays, dz, backward, as_tuple(backward(dz))


def value_is_right(subject: Subject) -> None:
    """Shape, dtype and numbers of the value, in both dtypes."""
    for dtype in DTYPES:
        arrays = subject.arrays(dtype)
        _compare("value", subject.call(arrays)[0], subject.expected(arrays)[0], dtype, lambda: _is_constant(subject))


def every_element_is_written(subject: Subject) -> None:
    """In memory that holds NaN, no NaN is left over."""
    with poisoned_memory():
        _, _, _, gradients = subject.gradients("float32")
        found = {"value": subject.run("float32"), **dict(zip(subject.case.names, gradients, strict=False))}
    for name, array in found.items():
        if array is not None and np.isnan(array).any():
            share = np.isnan(array).mean()
            raise Fault("unwritten elements", f"expected every element of {name} written, found {share:.0%} untouched")


def any_memory_layout_will_do(subject: Subject) -> None:
    """Numbers that lie channels last, backwards or with gaps between them give the same."""
    for layout in (_channels_last, _backwards, _with_gaps):
        arrays = [x if x is None else layout(x) for x in subject.arrays("float64")]
        expected = subject.expected(arrays)[0]
        try:
            _compare("value", subject.call(arrays)[0], expected, "float64")
        except Fault as fault:
            raise Fault(
                "wrong strides", f"inputs that lie {layout.__name__[1:].replace('_', ' ')} in memory: {fault}"
            ) from None


def inputs_are_left_alone(subject: Subject) -> None:
    """Neither pass writes to what it was given, and no result lies in its memory."""
    arrays = subject.arrays("float32")
    before = [x if x is None else x.copy() for x in arrays]
    value, backward = subject.call(arrays)
    _unwritten("forward", subject.case.names, before, arrays)
    for name, x in zip(subject.case.names, arrays, strict=True):
        if x is not None and np.shares_memory(value, x):
            raise Fault("shares memory", f"expected a value in memory of its own, found it in that of {name}")
    dz = np.asarray(np.random.default_rng(1).standard_normal(value.shape), "float32")
    kept, given = value.copy(), dz.copy()
    backward(dz)
    names = [*subject.case.names, "the value", "dz"]
    _unwritten("backward", names, [*before, kept, given], [*arrays, value, dz])


def the_same_again(subject: Subject) -> None:
    """The same inputs give the same bits, and a later call changes nothing that an earlier one gave."""
    arrays = subject.arrays("float32")
    value, backward = subject.call(arrays)
    dz = np.asarray(np.random.default_rng(1).standard_normal(value.shape), "float32")
    first = (value, *as_tuple(backward(dz)))
    kept: list[Any] = [x if x is None else x.copy() for x in first]
    again, _ = subject.call(arrays)
    if not np.array_equal(again, kept[0]):
        raise Fault("not deterministic", "expected the same bits from the same inputs, found others")
    other, other_backward = subject.call(subject.arrays("float32", seed=5))
    other_backward(np.ones_like(other))
    for name, x, was in zip(["value", *subject.case.names], first, kept, strict=False):
        if x is not None and was is not None and not np.array_equal(x, was):
            raise Fault("results do not last", f"expected {name} to stay, found it changed by a later call")
    for name, x, was in zip(subject.case.names, as_tuple(backward(dz)), kept[1:], strict=False):
        if x is not None and was is not None and not np.array_equal(x, was):
            raise Fault("backward remembers", f"expected the same {name} when called again, found another")


def gradients_are_right(subject: Subject) -> None:
    """Each gradient is the reference's, in both dtypes, and need_dx=False leaves out the first alone."""
    for dtype in DTYPES:
        arrays, dz, backward, found = subject.gradients(dtype)
        expected = as_tuple(subject.expected(arrays)[1](dz.astype("float64")))
        if len(found) != len(expected):
            raise Fault("wrong return", f"expected {len(expected)} gradients from backward, found {len(found)}")
        for name, one, wanted in zip(subject.case.names, found, expected, strict=True):
            if (one is None) != (wanted is None):
                raise Fault("wrong return", f"expected {_kind(wanted)} as d{name}, found {_kind(one)}")
            if wanted is not None:
                _compare(f"d{name}", one, wanted, dtype)
        takes_need_dx = "need_dx" in inspect.signature(subject.expected(arrays)[1]).parameters
        if takes_need_dx and not subject.implementation.forward_only:
            skipped = as_tuple(backward(dz, need_dx=False))
            if skipped[0] is not None:
                raise Fault("ignores need_dx", "expected None for dx with need_dx=False, found a gradient")
            for name, one, wanted in zip(subject.case.names[1:], skipped[1:], found[1:], strict=True):
                if wanted is not None and not np.allclose(one, wanted, rtol=1e-5, atol=1e-5):
                    raise Fault("ignores need_dx", f"expected the same d{name} with need_dx=False, found another")


def gradients_follow_the_value(subject: Subject) -> None:
    """In float64, differences of the value itself agree: whatever the reference says."""
    if subject.implementation.forward_only:
        return
    report = gradcheck(lambda *arrays: subject.call(list(arrays)), *subject.arrays("float64"), names=subject.case.names)
    for one in report.checks:
        if str(one.verdict) not in ("ok", "inconclusive: kink"):
            raise Fault(f"{one.argument}: {one.verdict}", one.reason or f"relative error {one.error:.1e}")


PROBES: tuple[Callable[[Subject], None], ...] = (
    value_is_right,
    every_element_is_written,
    inputs_are_left_alone,
    the_same_again,
    any_memory_layout_will_do,
    gradients_are_right,
    gradients_follow_the_value,
)


@contextmanager
def poisoned_memory() -> Iterator[None]:
    """Within the block, memory that NumPy or the package hands out holds NaN.

    Not that which compiled code takes from the system by itself.
    """
    memory.forget()
    empty, empty_like = np.empty, np.empty_like

    def poison(array: Array) -> Array:
        if array.dtype != bool:
            array.fill(np.nan if array.dtype.kind in "fc" else np.iinfo(array.dtype).max)
        return array

    with (
        patch.object(np, "empty", lambda *args, **kwargs: poison(empty(*args, **kwargs))),
        patch.object(np, "empty_like", lambda *args, **kwargs: poison(empty_like(*args, **kwargs))),
    ):
        yield


def _compare(
    name: str, found: Any, expected: Array, dtype: str, is_constant: Callable[[], bool] = lambda: False
) -> None:
    if not isinstance(found, np.ndarray | np.generic):
        raise Fault("not an array", f"expected an array as {name}, found {_kind(found)}")
    if found.shape != expected.shape:
        raise Fault("wrong shape", f"expected {name} of shape {expected.shape}, found {found.shape}")
    if found.dtype != dtype:
        raise Fault("wrong dtype", f"expected {name} in {dtype}, found {found.dtype}")
    size = float(abs(expected).max())
    apart = float(np.nan_to_num(abs(found - expected), nan=np.inf).max())
    error = apart / size if size else apart
    allowed = ROUNDINGS * float(np.finfo(dtype).eps)
    if error <= allowed:
        return
    if dtype == "float64" and error <= ROUNDINGS * float(np.finfo("float32").eps):
        raise Fault(
            "low precision", f"expected {name} to {allowed:.0e} in float64, found a relative error of {error:.1e}"
        )
    if is_constant():
        raise Fault("constant answer", "expected other numbers for other inputs, found the same")
    share = float((abs(found - expected) > allowed * (size or 1)).mean())
    raise Fault(
        f"wrong {name}", f"expected the reference's numbers to {allowed:.0e}, found a relative error of {error:.1e} "
        f"in {share:.0%} of them ({dtype})",
    )  # fmt: skip


def _is_constant(subject: Subject) -> bool:
    one, other = (subject.call(subject.arrays("float64", seed))[0] for seed in (0, 5))
    return bool(np.array_equal(one, other))


def _unwritten(when: str, names: list[str], before: list[Array | None], after: list[Array | None]) -> None:
    for name, was, now in zip(names, before, after, strict=True):
        if was is not None and now is not None and was.tobytes() != now.tobytes():
            raise Fault("writes to its inputs", f"expected {name} as it was, found it changed by the {when} pass")


def _kind(one: Any) -> str:
    return "None" if one is None else type(one).__name__


def _channels_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x


def _backwards(x: Array) -> Array:
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def _with_gaps(x: Array) -> Array:
    wide = np.full(tuple(2 * size for size in x.shape), np.nan, x.dtype)
    wide[(slice(None, None, 2),) * x.ndim] = x
    return wide[(slice(None, None, 2),) * x.ndim]
