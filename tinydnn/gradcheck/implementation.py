"""The contract that an implementation of an operation must keep, as clauses that each test one property.

Kernels fail in typical ways, so every clause runs on every case of `tinydnn.gradcheck.cases` that the implementation
supports. A clause raises `ContractError` at the first violation.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from types import ModuleType
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.gradcheck.cases import Case
from tinydnn.gradcheck.check import gradcheck
from tinydnn.gradcheck.compare import deviations, rounding_tolerance
from tinydnn.gradcheck.contract import expect_dx_skipped, takes_need_dx
from tinydnn.gradcheck.layouts import LAYOUTS, Layout, contiguous
from tinydnn.gradcheck.numeric import generator
from tinydnn.gradcheck.passes import ContractError, Forward, Named, argument_names, bits, expect_bits
from tinydnn.gradcheck.report import Verdict
from tinydnn.kernels.cpu import memory
from tinydnn.ops import Backward, Implementation

DTYPES = ("float64", "float32")
TF32_TOLERANCE = 5e-3
OTHER_BITS = "expected the same bits as before, found others"


@dataclass(frozen=True)
class Candidate:
    """An implementation under test: on one case, in one dtype, on one device ("cpu", "cuda" or "cuda:N")."""

    case: Case
    implementation: Implementation
    dtype: str
    device: str = "cpu"

    def __call__(self, *arrays: Array | None) -> tuple[Array, Backward]:
        """Call the implementation itself, as a function of the arguments that have a gradient.

        It must not write to the others either, such as labels and masks.
        """
        function, extras = self.implementation.function, self.case.extras(*arrays)
        others = dict(zip(argument_names(function, len(arrays) + len(extras))[len(arrays) :], extras, strict=True))
        before = bits(others)
        returned = function(*arrays, *extras, **self.case.options)
        expect_bits(others, before, Verdict.WRITES, "forward wrote to this array")
        return returned

    @property
    def tolerance(self) -> float:
        """The largest error allowed, relative to the reference in float64."""
        return TF32_TOLERANCE if self.implementation.precision == "tf32" else rounding_tolerance(self.dtype)

    def inputs(self, layout: Layout = contiguous, seed: int = 0) -> Named:
        """Random arguments on the device, by name."""
        arrays = zip(self.case.names, self.case.arrays(seed), strict=True)
        return {name: x if x is None else layout(to_device(x.astype(self.dtype), self.device)) for name, x in arrays}

    def forward(self, layout: Layout = contiguous, seed: int = 0) -> Forward:
        """Run the forward pass on `inputs`."""
        return Forward.run(self, self.inputs(layout, seed))

    def passes(self, layout: Layout = contiguous, seed: int = 0) -> tuple[Forward, Array, Named]:
        """Run both passes: the forward pass, a random dz in `layout`, and the results (value and gradients) by name."""
        forward = self.forward(layout, seed)
        dz = layout(forward.upstream(generator(seed)))
        return forward, dz, {"the value": forward.value, **forward.gradients(dz)}  # no parameter is named so


def matches_the_reference(candidate: Candidate) -> None:
    """Value and gradients are those of the reference in float64, in every memory layout of the inputs and dz."""
    reference = candidate.case.function("reference")
    for layout in LAYOUTS:
        try:
            checks = deviations(candidate.forward(layout), reference, tolerance=candidate.tolerance, layout=layout)
            check = next((check for check in checks if check.verdict is not Verdict.OK), None)
        except ContractError as error:
            check = error.check
        if check is None:
            continue
        name, verdict, reason = check.argument, check.verdict, check.reason
        if layout is not contiguous:
            reason = f"in the memory layout {layout.__name__.replace('_', ' ')}: {verdict}: {reason}"
            raise ContractError(name, Verdict.STRIDES, reason)
        if (name, verdict) == ("value", Verdict.WRONG) and _is_constant(candidate):
            raise ContractError(name, Verdict.CONSTANT, "expected another value for other inputs, found the same")
        raise ContractError(name, verdict, reason, check.error)


def writes_every_element(candidate: Candidate) -> None:
    """Value and gradients contain no NaN when newly allocated memory does."""
    with _poisoned_memory(array_module(next(iter(candidate.inputs().values())))):
        _, _, results = candidate.passes()
    for name, array in results.items():
        unwritten = 0.0 if array is None else 1 - float(array_module(array).isfinite(array).mean())
        if unwritten:
            raise ContractError(name, Verdict.UNWRITTEN, f"{unwritten:.0%} of the elements are not written")


def returns_memory_of_its_own(candidate: Candidate) -> None:
    """No result shares memory with an input or with another result."""
    forward, dz, results = candidate.passes()
    arrays = {**forward.inputs, "dz": dz}
    for name, result in results.items():
        for other, array in arrays.items():
            if result is not None and array is not None and array_module(array).shares_memory(result, array):
                raise ContractError(name, Verdict.ALIASED, f"expected memory of its own, found that of {other}")
        arrays[f"result {name}"] = result


def is_deterministic(candidate: Candidate) -> None:
    """The same inputs, which may be read-only, give the same bits."""
    _, _, first = candidate.passes(_read_only)
    _, _, second = candidate.passes(_read_only)
    expect_bits(second, bits(first), Verdict.RANDOM, OTHER_BITS)


def is_stateless(candidate: Candidate) -> None:
    """Later calls change neither earlier results nor the gradients that an earlier backward returns."""
    forward, dz, results = candidate.passes()
    expected = bits(results)
    candidate.passes(seed=5)
    forward.gradients(forward.upstream(generator(1)))
    expect_bits(results, expected, Verdict.OVERWRITTEN, OTHER_BITS)
    expect_bits(forward.gradients(dz), expected, Verdict.STATEFUL, OTHER_BITS)


def skips_dx_on_request(candidate: Candidate) -> None:
    """Backward takes `need_dx` if the reference's does; need_dx=False omits dx and leaves the other bits unchanged."""
    if candidate.implementation.forward_only:  # its backward is the reference's
        return
    forward = candidate.forward()
    _, reference_backward = candidate.case.function("reference")(*forward.inputs.values())
    expected, found = takes_need_dx(reference_backward), takes_need_dx(forward.backward)
    if expected != found:
        reason = f"expected backward {'with' if expected else 'without'} the parameter need_dx, as the reference's"
        raise ContractError(candidate.case.names[0], Verdict.NEED_DX, reason)
    if expected:
        dz = forward.upstream(generator(0))
        expect_dx_skipped(forward, dz, forward.gradients(dz), rtol=0)


def gradients_match_differences(candidate: Candidate) -> None:
    """In float64, `gradcheck` proves the gradients against the value itself, independently of the reference."""
    if candidate.dtype != "float64" or candidate.implementation.forward_only:
        return
    for check in gradcheck(candidate, *candidate.inputs().values(), names=candidate.case.names).checks:
        if check.verdict not in (Verdict.OK, Verdict.KINK):
            reason = check.reason or f"relative error {check.error:.1e}"
            raise ContractError(check.argument, check.verdict, reason, check.error)


CONTRACT: tuple[Callable[[Candidate], None], ...] = (
    matches_the_reference,
    writes_every_element,
    returns_memory_of_its_own,
    is_deterministic,
    is_stateless,
    skips_dx_on_request,
    gradients_match_differences,
)


def _is_constant(candidate: Candidate) -> bool:
    return candidate.forward().value.tobytes() == candidate.forward(seed=5).value.tobytes()


def _read_only(x: Array) -> Array:
    if isinstance(x, np.ndarray):
        x.flags.writeable = False
    return x


@contextmanager
def _poisoned_memory(xp: ModuleType) -> Iterator[None]:
    """Fill memory that `xp` and the package allocate within the block with NaN; compiled code allocates its own."""
    originals = {name: getattr(xp, name) for name in ("empty", "empty_like")}

    def poisoned(allocate: Callable[..., Array], *args: Any, **kwargs: Any) -> Array:
        array = allocate(*args, **kwargs)
        if array.dtype != bool:
            array.fill(np.nan if array.dtype.kind in "fc" else np.iinfo(array.dtype).max)
        return array

    memory.release()
    try:
        for name, allocate in originals.items():
            setattr(xp, name, partial(poisoned, allocate))
        yield
    finally:
        for name, allocate in originals.items():
            setattr(xp, name, allocate)
