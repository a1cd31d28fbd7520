"""Load weights into a model, matched by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinydnn.backend import array_module
from tinydnn.data.normalise import Preprocessing
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.weights.names import published_name
from tinydnn.weights.reading import Weights, read


@dataclass(frozen=True)
class Report:
    """The result of loading, by published name, and the preprocessing that the weights require.

    loaded: parameters replaced. missing: parameters left unchanged. unused: arrays of the file that were not loaded.
    elements: number of elements loaded.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unused: tuple[str, ...]
    elements: int
    preprocessing: Preprocessing

    def __str__(self) -> str:
        text = f"{len(self.loaded)} arrays of {self.elements:,} elements loaded"
        if self.missing:
            text += f"; unchanged: {_abbreviated(self.missing)}"
        if self.unused:
            text += f"; unused: {_abbreviated(self.unused)}"
        return text


def load(model: Sequential, weights: Weights | str | Path, *, module: str | None = None) -> Report:
    """Load the modules that model and file share, or `module` alone; a module is "features" or "classifier".

    A module that the file lacks is left unchanged. Raises `InputError` if an array of a shared module is missing, has
    another shape, or holds NaN or infinity, if nothing is shared, and for weights that were trained from scratch; the
    model is then unchanged.
    """
    source = weights if isinstance(weights, Weights) else read(weights)
    arrays, path = source.arrays, source.path
    if not isinstance(source.preprocessing, Preprocessing):
        raise InputError(f"{path}: expected a model adapted from a published network, found one trained from scratch")
    parameters = {published_name(name): parameter for name, parameter in model.parameters().items()}
    candidates = {name: parameter for name, parameter in parameters.items() if module in (None, _module(name))}
    shared = set(map(_module, candidates)) & set(map(_module, arrays))
    if not shared:
        raise InputError(f"{path}: expected arrays such as {_abbreviated(candidates)}, found {_abbreviated(arrays)}")
    matched = {name: parameter for name, parameter in candidates.items() if _module(name) in shared}
    for name, parameter in matched.items():
        _check(source, name, parameter)
    for name, parameter in matched.items():
        parameter.value = array_module(parameter.value).array(arrays[name], parameter.value.dtype, order="C")
    return Report(
        loaded=tuple(matched),
        missing=tuple(name for name in parameters if name not in matched),
        unused=tuple(name for name in arrays if name not in matched),
        elements=sum(parameter.value.size for parameter in matched.values()),
        preprocessing=source.preprocessing,
    )


def _check(source: Weights, name: str, parameter: Parameter) -> None:
    expected, where = parameter.value.shape, f"{source.path}: {name}"
    array = source.arrays.get(name)
    if array is None:
        raise InputError(f"{where}: expected an array of shape {expected}, found none of this name")
    if array.shape != expected:
        raise InputError(f"{where}: expected shape {expected}, found {array.shape}")
    if array.dtype.kind != "f":
        raise InputError(f"{where}: expected floating-point values, found {array.dtype}")
    with np.errstate(over="ignore"):  # float64 values beyond the range of float32 become infinite
        finite = np.isfinite(array.astype(np.float32)).all()
    if not finite:
        raise InputError(f"{where}: expected finite values, found NaN or infinity")


def _module(name: str) -> str:
    return name.split(".", 1)[0]


def _abbreviated(names: Iterable[str]) -> str:
    names = [name[:60] for name in names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "") or "nothing"
