"""Flat buffers on a GPU: all parameters in one array, so that one launch updates them all."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module, device_of, upload
from tinydnn.layers import Parameter

Filler: TypeAlias = Callable[[Sequence[Array | None], Array, Array], None]

ALIGN = 4  # elements: every array begins at a multiple of 16 bytes


class Flat:
    """A buffer that holds the arrays one after another, and `views` of it by their names, in their shapes.

    The gaps between the arrays are zero, and stay zero in an update. places: offset and size of each array, on the
    buffer's device.
    """

    fillers: ClassVar[dict[str, Filler]] = {}

    @classmethod
    def filler(cls, device: str) -> Callable[[Filler], Filler]:
        """Register the decorated function for a device: it copies arrays to their places, and skips None."""

        def register(filler: Filler) -> Filler:
            cls.fillers[device] = filler
            return filler

        return register

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        first = next(iter(arrays.values()))
        places, end = {}, 0
        for name, array in arrays.items():
            places[name] = slice(end, end + array.size)
            end += -(-array.size // ALIGN) * ALIGN
        xp = array_module(first)
        self.buffer = xp.zeros(end, first.dtype)
        self.places = xp.asarray(np.array([(place.start, place.stop - place.start) for place in places.values()]))
        self.views = {name: self.buffer[place].reshape(arrays[name].shape) for name, place in places.items()}
        self.fill(arrays)

    def holds(self, arrays: Mapping[str, Array]) -> bool:
        """Whether the arrays are the views themselves."""
        return arrays.keys() == self.views.keys() and all(arrays[name] is view for name, view in self.views.items())

    def fill(self, arrays: Mapping[str, Array]) -> None:
        """Copy the arrays in; one that is left out keeps its values."""
        filler = self.fillers.get(device_of(self.buffer))
        if filler is not None:
            filler([arrays.get(name) for name in self.views], self.places, self.buffer)
            return
        for name, array in arrays.items():
            self.views[name][...] = array


class FlatStep:
    """An update rule over flat buffers of values, gradients and optimizer state, which it takes over.

    The parameters' values and the state's arrays become views of the buffers.
    """

    def __init__(
        self,
        rule: Callable[..., None],
        parameters: Mapping[str, Parameter],
        state: dict[str, dict[str, Array]],
        scalars: int,
    ) -> None:
        values = {name: parameter.value for name, parameter in parameters.items()}
        xp = array_module(next(iter(values.values())))
        self.rule = rule
        self.scalars = xp.zeros(scalars, np.float32)
        self.theta = Flat(values)
        self.grad = Flat({name: xp.zeros_like(value) for name, value in values.items()})
        self.state = {name: Flat(averages) for name, averages in state.items()}
        for name, parameter in parameters.items():
            parameter.value = self.theta.views[name]
        for name, flat in self.state.items():
            state[name] = dict(flat.views)

    def holds(self, parameters: Mapping[str, Parameter], state: Mapping[str, Mapping[str, Array]]) -> bool:
        """Whether all values and states are still views of these buffers."""
        values = {name: parameter.value for name, parameter in parameters.items()}
        return self.theta.holds(values) and all(flat.holds(state[name]) for name, flat in self.state.items())

    def upload(self, scalars: Mapping[str, float]) -> None:
        """Write the scalars of the next step to the device."""
        upload(np.array([*scalars.values()], np.float32), self.scalars)

    def apply(self, parameters: Mapping[str, Parameter], constants: Mapping[str, Any]) -> None:
        """Gather the gradients and update all parameters in one call of the rule."""
        self.grad.fill({name: parameter.grad for name, parameter in parameters.items() if parameter.grad is not None})
        state = [flat.buffer for flat in self.state.values()]
        self.rule(self.theta.buffer, self.grad.buffer, *state, scalars=self.scalars, **constants)
