"""The single questions that a check asks of a kernel, each of which a wrong one answers with a `Fault`."""

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import numpy as np

from tinydnn.backend import Array
from tinydnn.bench.subject import Fault, Subject, compare, kind
from tinydnn.gradcheck import gradcheck
from tinydnn.gradcheck.contract import as_tuple
from tinydnn.kernels.cpu import memory


def value_is_right(subject: Subject) -> None:
    """Shape, dtype and numbers of the value, in both dtypes."""
    for dtype in subject.dtypes:
        arrays = subject.arrays(dtype)
        found, expected = subject.call(arrays)[0], subject.expected(arrays)[0]
        compare("value", found, expected, dtype, lambda: _is_constant(subject), allowed=subject.allowed(dtype))


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
        arrays = [x if x is None else layout(x) for x in subject.arrays(subject.dtypes[0])]
        expected = subject.expected(arrays)[0]
        try:
            found = subject.call(arrays)[0]
            compare("value", found, expected, subject.dtypes[0], allowed=subject.allowed(subject.dtypes[0]))
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
    for dtype in subject.dtypes:
        arrays, dz, backward, found = subject.gradients(dtype)
        expected = as_tuple(subject.expected(arrays)[1](dz.astype("float64")))
        if len(found) != len(expected):
            raise Fault("wrong return", f"expected {len(expected)} gradients from backward, found {len(found)}")
        for name, one, wanted in zip(subject.case.names, found, expected, strict=True):
            if (one is None) != (wanted is None):
                raise Fault("wrong return", f"expected {kind(wanted)} as d{name}, found {kind(one)}")
            if wanted is not None:
                compare(f"d{name}", one, wanted, dtype, allowed=subject.allowed(dtype))
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
    if subject.implementation.forward_only or "float64" not in subject.dtypes:
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


def _is_constant(subject: Subject) -> bool:
    one, other = (subject.call(subject.arrays(subject.dtypes[0], seed))[0] for seed in (0, 5))
    return bool(np.array_equal(one, other))


def _unwritten(when: str, names: list[str], before: list[Array | None], after: list[Array | None]) -> None:
    for name, was, now in zip(names, before, after, strict=True):
        if was is not None and now is not None and was.tobytes() != now.tobytes():
            raise Fault("writes to its inputs", f"expected {name} as it was, found it changed by the {when} pass")


def _channels_last(x: Array) -> Array:
    return np.moveaxis(np.ascontiguousarray(np.moveaxis(x, 1, -1)), -1, 1) if x.ndim > 1 else x


def _backwards(x: Array) -> Array:
    reverse = (slice(None, None, -1),) * x.ndim
    return x[reverse].copy()[reverse]


def _with_gaps(x: Array) -> Array:
    wide = np.full(tuple(2 * size for size in x.shape), np.nan, x.dtype)
    wide[(slice(None, None, 2),) * x.ndim] = x
    return wide[(slice(None, None, 2),) * x.ndim]
