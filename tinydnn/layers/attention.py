"""Layers that attend: to positions, to channels, to other tokens."""

from math import prod, sqrt

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.layers.layer import Backward, Layer, Parameter, Shape
from tinydnn.layers.linear import Linear


class AttentionPool2d(Layer):
    """`ops.attention_pool2d` with learned scores: the mean of all positions, weighted by their features.

        s[n,i,j] = Σ_c w[c] · x[n,c,i,j]
        z        = attention_pool2d(x, s)

    weight: (1, channels, 1, 1), zeros at first, so that training starts from global average pooling. There is no bias,
    which would change no weight.

    Source: Ilse, Tomczak and Welling, Attention-based Deep Multiple Instance Learning (2018), equations 7 and 8. Theirs
    has a hidden layer, s = wᵀ tanh(V x); here the features of the convolutions before it are scored directly.
    """

    def __init__(self, channels: int) -> None:
        self.channels = channels
        self.weight = Parameter(np.zeros((1, channels, 1, 1), np.float32))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x: (N, channels, H, W). z: (N, channels)."""
        scores, scores_backward = ops.conv2d(x, self.weight.value, None)
        z, pool_backward = ops.attention_pool2d(x, scores)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            dx, ds = pool_backward(dz)
            dx_of_scores, self.weight.grad, _ = scores_backward(ds, need_dx=need_dx)
            return dx + dx_of_scores if need_dx else None

        return z, backward

    def attention(self, x: Array) -> Array:
        """The weight of each position, (N, H, W); those of an image sum to 1."""
        return ops.position_weights(ops.conv2d(x, self.weight.value, None)[0])

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments."""
        return {"channels": self.channels}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Two per element for the score, two for the mean; four per position for the softmax."""
        return 4 * prod(input_shape) + 4 * prod(input_shape[1:])


class SelfAttention(Layer):
    """`ops.multihead_attention` of tokens with themselves, with learned projections.

        (q, k, v) = x · Wᵀ + b          one matrix for the three
        z = multihead_attention(q, k, v) · W_outᵀ + b_out

    qkv: `Linear(features, 3 · features)`. out: `Linear(features, features)`. Their first weights have the variance
    1/features: no ReLU follows, which He's factor 2 is for.

    Source: Vaswani et al., Attention Is All You Need (2017), section 3.2.2; initial weights: LeCun et al., Efficient
    BackProp (1998), section 4.6.
    """

    def __init__(self, features: int, *, heads: int, rng: np.random.Generator) -> None:
        self.features, self.heads = features, heads
        self.qkv, self.out = Linear(features, 3 * features, rng=rng), Linear(features, features, rng=rng)
        for projection in (self.qkv, self.out):
            projection.weight.value *= np.float32(sqrt(0.5))

    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """x, z: (N, T, features)."""
        projected, qkv_backward = self.qkv(x)
        mixed, attention_backward = ops.multihead_attention(*self._three(projected), heads=self.heads)
        z, out_backward = self.out(mixed)

        def backward(dz: Array, need_dx: bool = True) -> Array | None:
            xp = array_module(dz)
            gradients = xp.concatenate(attention_backward(out_backward(dz)), axis=2)
            return qkv_backward(gradients, need_dx=need_dx)

        return z, backward

    def attention(self, x: Array) -> Array:
        """How much each token attends to each token, by head: (N, heads, T, T); each row sums to 1."""
        q, k, _ = self._three(self.qkv.predict(x))
        return ops.attention_weights(q, k, heads=self.heads)

    def _three(self, projected: Array) -> tuple[Array, Array, Array]:
        """(N, T, 3 · features) as three views (N, T, features)."""
        d = self.features
        return projected[..., :d], projected[..., d : 2 * d], projected[..., 2 * d :]

    def named_layers(self) -> tuple[tuple[str, Layer], ...]:
        """The projections."""
        return ("qkv", self.qkv), ("out", self.out)

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {"features": self.features, "heads": self.heads}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """The four projections, two products with T × T weights, and four per weight for the softmax."""
        tokens, d = input_shape
        return 8 * tokens * d * d + 4 * tokens * tokens * d + 4 * self.heads * tokens * tokens
