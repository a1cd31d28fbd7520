"""Putting weights into a model, by name."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tinydnn.backend import array_module
from tinydnn.data.preprocessing import Preprocessing
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.weights.names import plain
from tinydnn.weights.reading import Weights, read


@dataclass(frozen=True)
class Report:
    """What came of loading, by name: what was taken over, what of the model the file does not have, what of the file
    the model does not have; and how the weights want their pictures.
    """

    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    left_over: tuple[str, ...]
    numbers: int
    preprocessing: Preprocessing

    def __str__(self) -> str:
        said = f"{len(self.loaded)} arrays of {self.numbers:,} numbers taken over"
        if self.missing:
            said += f"; left as they were: {_listed(self.missing)}"
        if self.left_over:
            said += f"; not used: {_listed(self.left_over)}"
        return said


def load(model: Sequential, weights: Weights | str | Path, *, part: str | None = None) -> Report:
    """Take over the weights that the model has a place for; `part` ("features") names the only part that gets any.

    A part of the model ("features", "classifier") gets all of its weights or, where the file has none for it, stays as
    it is. Raises `InputError` that names layer, expected and found where an array is missing within a part, has
    another shape or holds what is not a finite number, and where the file has nothing for this model. Then the model
    is as it was.
    """
    found = weights if isinstance(weights, Weights) else read(weights)
    arrays, path = found.arrays, found.path
    own = {plain(name): one for name, one in model.parameters().items()}
    wanted = {name: one for name, one in own.items() if part is None or _part(name) == part}
    there = {_part(name) for name in wanted} & {_part(name) for name in arrays}
    if not there:
        raise InputError(f"{path}: expected arrays such as {_listed(wanted)}, found {_listed(arrays)}")
    taken = {name: one for name, one in wanted.items() if _part(name) in there}
    for name, one in taken.items():
        _require(path, name, one, found)
    for name, one in taken.items():
        one.value = array_module(one.value).array(arrays[name], one.value.dtype, order="C")
    return Report(
        loaded=tuple(taken),
        missing=tuple(name for name in own if name not in taken),
        left_over=tuple(name for name in arrays if name not in taken),
        numbers=sum(one.value.size for one in taken.values()),
        preprocessing=found.preprocessing,
    )


def _require(path: Path, name: str, parameter: Parameter, weights: Weights) -> None:
    expected = parameter.value.shape
    array = weights.arrays.get(name)
    if array is None:
        raise InputError(f"{path}: {name}: expected an array of shape {expected}, found none of this name")
    if array.shape != expected:
        raise InputError(f"{path}: {name}: expected shape {expected}, found {array.shape}")
    if array.dtype.kind != "f":
        raise InputError(f"{path}: {name}: expected floating-point numbers, found {array.dtype}")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite
        finite = np.isfinite(array.astype(np.float32)).all()
    if not finite:
        raise InputError(f"{path}: {name}: expected finite numbers, found NaN or infinity")


def _part(name: str) -> str:
    return name.split(".", 1)[0]


def _listed(names: Iterable[str]) -> str:
    listed = [name[:60] for name in names]
    return ", ".join(listed[:3]) + (f" and {len(listed) - 3} more" if len(listed) > 3 else "") or "nothing"
