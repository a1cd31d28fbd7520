"""The dropout layer."""

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.layers.layer import Backward, Layer, Shape


class Dropout(Layer):
    """`ops.dropout` with a mask that is drawn anew for every training batch; in evaluation nothing happens.

    The mask is drawn on the CPU whatever the device, so that a seed means the same mask everywhere.
    """

    def __init__(self, rate: float = 0.5, *, rng: np.random.Generator) -> None:
        if not 0 <= rate < 1:
            raise ValueError(f"Dropout: rate: expected 0 <= rate < 1, found {rate}")
        self.rate, self.rng = float(rate), rng
        self.shape: Shape = ()  # of the last training batch
        self.drawn: Array | None = None  # a mask that is to be used in place of drawing one

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: any shape; the value: the same."""
        if not training:
            return x, lambda dz: dz
        self.shape = x.shape
        keep = array_module(x).asarray(self.draw()) if self.drawn is None else self.drawn
        return ops.dropout(x, keep, rate=self.rate)

    def draw(self) -> Array:
        """The next mask, for another batch like the last."""
        return self.rng.random(self.shape, np.float32) >= self.rate

    def config(self) -> dict[str, int | float | bool | None]:
        """The arguments that the layer was made with, but for the generator."""
        return {"rate": self.rate}
