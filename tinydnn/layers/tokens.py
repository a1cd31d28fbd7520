"""From the positions of a feature map to tokens, their positional embedding, and their mean."""

from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers.layer import Backward, Layer, Parameter, Shape


class Tokens(Layer):
    """Makes a token of each position: z[n, i·W + j, d] = x[n, d, i, j].

    After a convolution whose stride is its kernel's size, each token stands for a patch of the image.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words (2021), section 3.1.
    """

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, D, H, W). z: (N, H·W, D)."""
        shape = x.shape

        def backward(dz: Array) -> Array:
            return dz.swapaxes(1, 2).reshape(shape)

        return x.reshape(*shape[:2], -1).swapaxes(1, 2), backward

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """0: nothing is computed."""
        return 0


class PositionalEmbedding(Layer):
    """Adds a learned vector to each token, which tells the layers after it where the token is from.

        z[n,t,d] = x[n,t,d] + p[t,d]
        dx = dz,    dp[t,d] = Σ_n dz[n,t,d]

    weight p: (tokens, features), normal with standard deviation 0.02 at first.

    Source: Dosovitskiy et al., An Image is Worth 16x16 Words (2021), equation 1; the 0.02 is from Devlin et al., BERT
    (2019).
    """

    def __init__(self, tokens: int, features: int, *, rng: np.random.Generator) -> None:
        self.tokens, self.features = tokens, features
        self.weight = Parameter((0.02 * rng.standard_normal((tokens, features))).astype(np.float32))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: (N, tokens, features)."""
        if x.shape[1:] != self.weight.value.shape:
            expected = ", ".join(map(str, self.weight.value.shape))
            raise ValueError(f"PositionalEmbedding: expected tokens of shape (N, {expected}), found {x.shape}")

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            self.weight.grad = dz.sum(axis=0)
            return dz if need_dx else None

        return x + self.weight.value, backward

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"tokens": self.tokens, "features": self.features}


class TokenMean(Layer):
    """The mean over the tokens: `ops.global_avgpool2d` of tokens as an image of one column."""

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, T, D). z: (N, D)."""
        z, op_backward = ops.global_avgpool2d(x.swapaxes(1, 2)[..., None])

        def backward(dz: Array) -> Array:
            return op_backward(dz)[..., 0].swapaxes(1, 2)

        return z, backward

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """One addition per element."""
        return prod(input_shape)
