"""A kernel at work on a case, and the faults that it may have."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np

from tinydnn.backend import Array, emulation, to_device
from tinydnn.gradcheck.cases import Case
from tinydnn.gradcheck.contract import as_tuple
from tinydnn.ops import Backward, Implementation

DTYPES = ("float64", "float32")
ROUNDINGS = 1000  # of the dtype: how far a result may be from the reference in float64
TF32 = 5e-3  # the same for one whose products are TF32's


class Fault(Exception):  # noqa: N818 - it is what a kernel has, not what went wrong here
    """What is wrong with a kernel, in a few words; the text says what was expected and found."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(detail)
        self.what = what


class Subject:
    """An implementation at work on a case; one for a real GPU gets its arrays there, and gives NumPy's back."""

    def __init__(self, case: Case, implementation: Implementation, device: str = "cpu") -> None:
        self.case, self.implementation = case, implementation
        real = device != "cpu" and emulation() is None
        self._function = through_gpu(implementation.function, device) if real else implementation.function
        self.dtypes = tuple(one for one in DTYPES if implementation.name in case.implementations(_kind(device), one))

    def allowed(self, dtype: str) -> float:
        """How far a result may be from the reference in float64."""
        return TF32 if self.implementation.precision == "tf32" else ROUNDINGS * float(np.finfo(dtype).eps)

    def arrays(self, dtype: str, seed: int = 0) -> list[Array | None]:
        """Arguments that have a gradient."""
        return [x if x is None else x.astype(dtype) for x in self.case.arrays(seed)]

    def call(self, arrays: list[Array | None]) -> tuple[Array, Backward]:
        """Value and backward function, as the kernel itself returns them."""
        returned = self._function(*arrays, *self.case.extras(*arrays), **self.case.options)
        if not isinstance(returned, tuple) or len(returned) != 2 or not callable(returned[1]):
            raise Fault("wrong return", f"expected (value, backward), found {kind(returned)}")
        if not isinstance(returned[0], np.ndarray | np.generic):
            raise Fault("not an array", f"expected an array as the value, found {kind(returned[0])}")
        value: Any = returned[0]
        return value, returned[1]

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


def through_gpu(function: Callable[..., Any], device: str) -> Callable[..., Any]:
    """The function on NumPy arrays, which are copied to the GPU and back. One that writes to its inputs is told so."""

    def there(one: Any) -> Any:
        return to_device(one, device) if isinstance(one, np.ndarray) else one

    def back(one: Any) -> Any:
        return to_device(one, "cpu") if hasattr(one, "get") else one

    def call(*arrays: Any, **options: Any) -> Any:
        given = [there(one) for one in arrays]
        returned = function(*given, **options)
        if not isinstance(returned, tuple) or len(returned) != 2 or not callable(returned[1]):
            return returned
        value, backward = returned
        for one, was in zip(given, arrays, strict=True):
            if isinstance(was, np.ndarray) and back(one).tobytes() != np.ascontiguousarray(was).tobytes():
                raise Fault("writes to its inputs", "expected them as they were, found one changed by the forward pass")

        @wraps(backward)
        def backward_here(*dz: Any, **choices: Any) -> Any:
            gradients = backward(*(there(one) for one in dz), **choices)
            return tuple(map(back, gradients)) if isinstance(gradients, tuple) else back(gradients)

        return back(value), backward_here

    return call


def _kind(device: str) -> str:
    return "cpu" if device == "cpu" else "cuda"


def compare(
    name: str,
    found: Any,
    expected: Array,
    dtype: str,
    is_constant: Callable[[], bool] = lambda: False,
    *,
    allowed: float | None = None,
) -> None:
    """Raise a `Fault` unless `found` has the shape and the numbers of `expected`, to rounding, and this dtype."""
    if not isinstance(found, np.ndarray | np.generic):
        raise Fault("not an array", f"expected an array as {name}, found {kind(found)}")
    if found.shape != expected.shape:
        raise Fault("wrong shape", f"expected {name} of shape {expected.shape}, found {found.shape}")
    if found.dtype != dtype:
        raise Fault("wrong dtype", f"expected {name} in {dtype}, found {found.dtype}")
    size = float(abs(expected).max())
    apart = float(np.nan_to_num(abs(found - expected), nan=np.inf).max())
    error = apart / size if size else apart
    allowed = allowed or ROUNDINGS * float(np.finfo(dtype).eps)
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


def kind(one: Any) -> str:
    """What it is, for people."""
    return "None" if one is None else type(one).__name__
