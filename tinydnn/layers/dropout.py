"""The dropout layer."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeAlias

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.layers.layer import Backward, Layer, Shape
from tinydnn.ops.context import scoped

MaskSource: TypeAlias = Callable[["Dropout", Shape], Array]

_mask_source: ContextVar[MaskSource | None] = ContextVar("mask_source", default=None)


@contextmanager
def dropout_masks(source: MaskSource) -> Iterator[None]:
    """Take masks from `source(layer, shape)` within the block: a captured GPU step cannot draw them itself."""
    with scoped(_mask_source, source):
        yield


class Dropout(Layer):
    """`ops.dropout` with a new mask for every training batch; the identity in evaluation.

    The mask is drawn on the CPU whatever the device, so that a seed gives the same mask everywhere.
    """

    def __init__(self, rate: float = 0.5, *, rng: np.random.Generator) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate: expected 0 <= rate < 1, found {rate}")
        self.rate, self.rng = float(rate), rng

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: any shape."""
        if not training:
            return x, lambda dz: dz
        source = _mask_source.get()
        keep = array_module(x).asarray(self.draw(x.shape)) if source is None else source(self, x.shape)
        return ops.dropout(x, keep, rate=self.rate)

    def draw(self, shape: Shape) -> Array:
        """The next mask, bool on the CPU: True with probability 1 − rate."""
        return self.rng.random(shape, np.float32) >= self.rate

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"rate": self.rate}
