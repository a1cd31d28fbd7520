"""Arrays of one kind one after the other in one buffer, so that one launch can go over all of them."""

from collections.abc import Mapping

from tinydnn.backend import Array, array_module
from tinydnn.kernels.cuda.source import blocks


class Flat:
    """A buffer that holds the arrays, each from an address that is a multiple of 16 bytes; `views` are in their shapes.

    What lies between two arrays is zero, and stays so in a step of an optimiser.
    """

    def __init__(self, arrays: Mapping[str, Array], *, align: int = 4) -> None:
        first = next(iter(arrays.values()))
        places, end = {}, 0
        for name, array in arrays.items():
            places[name] = slice(end, end + array.size)
            end += blocks(array.size, align) * align
        self.whole = array_module(first).zeros(end, first.dtype)
        self.views = {name: self.whole[place].reshape(arrays[name].shape) for name, place in places.items()}
        self.fill(arrays)

    def holds(self, arrays: Mapping[str, Array]) -> bool:
        """Whether these very arrays are the views."""
        return arrays.keys() == self.views.keys() and all(arrays[name] is view for name, view in self.views.items())

    def fill(self, arrays: Mapping[str, Array]) -> None:
        """Copy the arrays in."""
        for name, array in arrays.items():
            self.views[name][...] = array
