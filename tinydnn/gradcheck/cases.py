"""The cases on which every operation is checked: shapes and options at which kernels typically fail."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module
from tinydnn.gradcheck.passes import Function, argument_names

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Case:
    """One call of an operation.

    shapes: of the arguments that have a gradient; None for one that is left out. extras: a function that makes the
    remaining arguments, which have no gradient. options: the keyword arguments.
    """

    operation: str
    label: str
    shapes: tuple[Shape | None, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    extras: Callable[..., tuple[Any, ...]] = lambda *arrays: ()

    def __str__(self) -> str:
        return f"{self.operation}: {self.label}"

    @property
    def names(self) -> list[str]:
        """The names of the arguments that have a gradient."""
        return argument_names(ops.operations()[self.operation], len(self.shapes))

    def arrays(self, seed: int = 0) -> list[Array | None]:
        """Random arguments that have a gradient, in float64."""
        rng = np.random.default_rng(seed)
        return [None if shape is None else rng.standard_normal(shape) for shape in self.shapes]

    def implementations(self, device: str = "cpu", dtype: str = "float64") -> list[str]:
        """The names of the implementations for `device` that support this case."""
        arrays = [x if x is None else x.astype(dtype) for x in self.arrays()]
        operation = ops.operations()[self.operation]
        arguments = operation.bind(*arrays, *self.extras(*arrays), **self.options)
        names = operation.names("cpu" if device == "cpu" else "cuda")
        return [name for name in names if operation.implementations[name].supports(arguments)]

    def is_stable_in(self, precision: str) -> bool:
        """Whether rounding to this precision leaves the argmax of every pooling window unchanged.

        TF32 changes it in some of many windows, and their gradients then go to other pixels than the reference's.
        """
        return precision == "fp32" or "maxpool2d" not in self.operation or "many channels" not in self.label

    def function(self, implementation: str) -> Function:
        """The operation as a function of the arguments that have a gradient, by the named implementation.

        The operations that it calls run their references.
        """
        choices = {**dict.fromkeys(ops.operations(), "reference"), self.operation: implementation}

        def function(*arrays: Array) -> tuple[Array, ops.Backward]:
            with ops.use(**choices):
                return ops.operations()[self.operation](*arrays, *self.extras(*arrays), **self.options)

        return function


def _labels(logits: Array) -> tuple[Array]:
    return (array_module(logits).arange(len(logits)) * 2 % logits.shape[1],)


def _target(prediction: Array) -> tuple[Array]:
    return (array_module(prediction).full_like(prediction, 0.5),)


def _regions(m: Array) -> tuple[Array, Array]:
    xp = array_module(m)
    steps = xp.arange(m.size // m.shape[1]).reshape(m.shape[0], *m.shape[2:])
    return steps % m.shape[1], (steps % 3 + (m.size == m.shape[1])).astype(m.dtype)


def _keep(x: Array) -> tuple[Array]:
    return ((array_module(x).arange(x.size) % 3 < 2).reshape(x.shape),)


def _batch_moments(x: Array, gamma: Array, beta: Array) -> tuple[Array, Array]:
    (mean, var), _ = ops.moments(x)
    return mean, var


def _running_moments(x: Array, gamma: Array, beta: Array) -> tuple[Array, Array]:
    steps = array_module(x).arange(len(gamma)).astype(x.dtype)
    return steps - 1, steps + 0.5


_CONVOLUTIONS: dict[str, tuple[Shape, Shape, dict[str, int]]] = {
    "no padding": ((2, 3, 6, 5), (4, 3, 3, 3), {}),
    "same size": ((2, 3, 5, 7), (4, 3, 3, 3), {"padding": 1}),
    "stride 2, rows left over": ((2, 2, 8, 6), (3, 2, 3, 3), {"stride": 2}),
    "stride 2, padding 1": ((3, 2, 7, 4), (2, 2, 3, 3), {"stride": 2, "padding": 1}),
    "pixels outside every window": ((2, 2, 8, 7), (3, 2, 2, 2), {"stride": 3}),
    "padding as large as the kernel": ((2, 2, 3, 4), (3, 2, 2, 2), {"padding": 2}),
    "kernel higher than wide": ((2, 3, 6, 5), (2, 3, 4, 2), {"padding": 1}),
    "kernel wider than high": ((2, 3, 4, 7), (2, 3, 1, 3), {"padding": 1}),
    "kernel as large as the image": ((2, 3, 4, 5), (2, 3, 4, 5), {}),
    "one pixel": ((3, 4, 1, 1), (5, 4, 1, 1), {}),
    "one pixel in padding": ((2, 2, 1, 1), (3, 2, 3, 3), {"padding": 1}),
    "one channel, one image": ((1, 1, 5, 4), (1, 1, 3, 3), {"padding": 1}),
    "one row": ((2, 3, 1, 9), (2, 3, 1, 3), {}),
    "more channels than a vector holds": ((2, 17, 5, 6), (18, 17, 3, 3), {"padding": 1}),
    "five images": ((5, 2, 4, 5), (3, 2, 3, 3), {"padding": 1}),
    "large kernel": ((2, 2, 7, 8), (3, 2, 5, 5), {"padding": 2}),
    "large kernel, stride 4": ((2, 3, 19, 24), (5, 3, 11, 11), {"stride": 4, "padding": 2}),
    "1 × 1, stride 2": ((2, 5, 6, 7), (4, 5, 1, 1), {"stride": 2}),
    "many channels": ((2, 25, 7, 6), (33, 25, 3, 3), {"padding": 1}),
    "many channels, no padding": ((3, 32, 6, 11), (24, 32, 3, 3), {}),
    "many channels, much padding": ((1, 24, 5, 4), (24, 24, 3, 3), {"padding": 2}),
    "many channels, a tile": ((1, 24, 4, 4), (25, 24, 3, 3), {"padding": 1}),
    "many channels, one output": ((2, 24, 3, 3), (24, 24, 3, 3), {}),
    "many channels, wide": ((1, 24, 3, 14), (40, 24, 3, 3), {"padding": 1}),
    "many channels, high": ((2, 31, 13, 3), (24, 31, 3, 3), {"padding": 1}),
}

# With so few outputs all may be negative, and ReLU's gradient zero.
_FEW_OUTPUTS = ("one pixel", "one pixel in padding", "kernel as large as the image")
_ACTIVATED = {label: case for label, case in _CONVOLUTIONS.items() if label not in _FEW_OUTPUTS}

# Every convolution leaves at least 2 × 2 pixels to pool; some poolings overlap, some leave rows over.
_BLOCKS: dict[str, tuple[Shape, Shape, dict[str, int]]] = {
    "same size": ((2, 3, 6, 8), (4, 3, 3, 3), {"padding": 1}),
    "rows left over": ((2, 2, 7, 5), (3, 2, 3, 3), {"padding": 1}),
    "no padding": ((2, 3, 6, 8), (4, 3, 3, 3), {}),
    "even kernel": ((2, 2, 5, 6), (3, 2, 2, 2), {"padding": 1}),
    "stride 2": ((2, 2, 9, 8), (3, 2, 3, 3), {"stride": 2, "padding": 1}),
    "kernel higher than wide": ((2, 3, 8, 5), (2, 3, 4, 2), {"padding": 1}),
    "kernel wider than high": ((2, 3, 5, 9), (2, 3, 2, 5), {"padding": 1}),
    "one channel, one image": ((1, 1, 4, 6), (1, 1, 3, 3), {"padding": 1}),
    "one window": ((3, 2, 2, 2), (4, 2, 1, 1), {}),
    "overlapping pooling": ((2, 2, 7, 6), (3, 2, 3, 3), {"padding": 1, "window": 3, "pool_stride": 2}),
    "more channels than a vector holds": ((2, 17, 5, 6), (18, 17, 3, 3), {"padding": 1}),
    "five images": ((5, 2, 4, 5), (3, 2, 3, 3), {"padding": 1}),
    "many channels": ((2, 25, 7, 6), (33, 25, 3, 3), {"padding": 1}),
    "many channels, much padding": ((3, 32, 6, 9), (24, 32, 3, 3), {"padding": 2}),
    "many channels, no padding": ((1, 24, 7, 6), (24, 24, 3, 3), {}),
    "many channels, a tile": ((1, 24, 4, 4), (25, 24, 3, 3), {"padding": 1}),
    "many channels, one window": ((2, 24, 2, 3), (24, 24, 3, 3), {"padding": 1}),
    "many channels, wide": ((1, 24, 3, 14), (40, 24, 3, 3), {"padding": 1}),
    "many channels, high": ((2, 31, 13, 3), (24, 31, 3, 3), {"padding": 1}),
    "pooling with gaps": ((2, 2, 8, 7), (3, 2, 3, 3), {"padding": 1, "window": 2, "pool_stride": 3}),
}

_POOLINGS: dict[str, tuple[Shape, dict[str, int]]] = {
    "2 × 2": ((2, 3, 4, 6), {}),
    "2 × 2, stride named": ((2, 3, 6, 4), {"window": 2, "stride": 2}),
    "rows and columns left over": ((2, 3, 5, 7), {}),
    "overlapping": ((2, 2, 7, 6), {"window": 3, "stride": 2}),
    "every position": ((2, 2, 5, 4), {"window": 2, "stride": 1}),
    "with gaps": ((2, 2, 8, 7), {"window": 2, "stride": 3}),
    "window as large as the image": ((3, 2, 4, 4), {"window": 4}),
    "one pixel": ((3, 2, 1, 1), {"window": 1}),
    "one channel, one image": ((1, 1, 4, 2), {}),
    "2 × 2 of many channels": ((2, 33, 3, 4), {}),
    "2 × 2 of five images": ((5, 2, 2, 8), {}),
    "2 × 2 of one row of windows": ((2, 3, 2, 9), {}),
    "overlapping, many channels": ((2, 17, 8, 7), {"window": 3, "stride": 2}),
    "overlapping, whole vectors of channels": ((3, 16, 5, 9), {"window": 3, "stride": 2}),
    "with gaps, many channels": ((2, 20, 8, 9), {"window": 2, "stride": 3}),
}

_IMAGES: dict[str, Shape] = {
    "H ≠ W": (2, 3, 4, 5),
    "one pixel": (2, 3, 1, 1),
    "one image": (1, 1, 3, 2),
    "one row": (3, 2, 1, 4),
    "one column": (3, 2, 5, 1),
    "many channels": (2, 33, 3, 2),
    "five images": (5, 2, 2, 2),
}

_ANY_SHAPE: dict[str, Shape] = {"images": (2, 3, 4, 5), "rows": (5, 4), "one element": (1, 1), "a line": (7,)}
_ANY_SHAPE |= {"one channel": (3, 1, 5, 7), "one column": (9, 1), "many channels": (2, 33, 3, 2)}

_LINEAR = {
    "rows": (5, 4, 3),
    "one row": (1, 4, 3),
    "one input": (5, 1, 3),
    "one output": (5, 4, 1),
    "square": (4, 4, 4),
    "two rows": (2, 3, 2),
    "more than a vector holds": (33, 70, 17),
}

# Tokens (N, T, D). Two features would be normalised to ±1, whatever they are.
_TOKENS: dict[str, Shape] = {
    "T ≠ D": (2, 5, 4),
    "one token": (3, 1, 6),
    "one image": (1, 4, 3),
    "three features": (2, 3, 3),
    "many features": (2, 3, 33),
    "many tokens": (2, 17, 4),
    "five images": (5, 2, 8),
}

_ATTENTION: dict[str, tuple[Shape, int]] = {
    "one head": ((2, 5, 4), 1),
    "two heads": ((2, 5, 4), 2),
    "heads of one feature": ((2, 3, 4), 4),
    "two tokens": ((3, 2, 6), 3),
    "one image": ((1, 4, 6), 2),
    "many tokens": ((2, 17, 4), 2),
    "many features": ((2, 3, 34), 2),
    "five images": ((5, 3, 8), 2),
}

# Over one pixel a softmax is 1, whatever the score.
_SEVERAL_PIXELS = {label: shape for label, shape in _IMAGES.items() if label != "one pixel"}
_SEVERAL_PIXELS["two pixels"] = (2, 3, 1, 2)


def _cases() -> Iterator[Case]:
    for operation, table in (
        ("conv2d", _CONVOLUTIONS),
        ("conv2d_relu", _ACTIVATED),
        ("conv2d_relu_maxpool2d", _BLOCKS),
    ):
        for label, (x, w, options) in table.items():
            yield Case(operation, label, (x, w, w[:1]), options)
        x, w, options = table["same size"]
        yield Case(operation, "no bias", (x, w, None), options)
    for operation in ("maxpool2d", "avgpool2d"):
        for label, (x, options) in _POOLINGS.items():
            yield Case(operation, label, (x,), options)
    for label, x in _IMAGES.items():
        yield Case("global_avgpool2d", label, (x,))
        yield Case("moments", label, (x,))
        regions = (x[0], x[1] + 1, *x[2:])
        yield Case("region_vote", label, (regions,))
        yield Case("region_vote", f"{label}, least = 0.5", (regions,), {"least": 0.5})
        yield Case("region_cross_entropy", label, (regions,), extras=_regions)
        for batch_statistics, extras in ((True, _batch_moments), (False, _running_moments)):
            kind = "batch statistics" if batch_statistics else "running statistics"
            options = {"batch_statistics": batch_statistics}
            yield Case("batchnorm2d", f"{label}, {kind}", (x, x[1:2], x[1:2]), options, extras)
        yield Case("channel_mean_max", label, (x,))
        yield Case("gate2d", f"{label}, channels", (x, x[:2]))
        yield Case("gate2d", f"{label}, positions", (x, (x[0], 1, *x[2:])))
    for label, x in _SEVERAL_PIXELS.items():
        yield Case("attention_pool2d", label, (x, (x[0], 1, *x[2:])))
    for label, x in _TOKENS.items():
        yield Case("layernorm", label, (x, x[2:], x[2:]))
    for label, (q, heads) in _ATTENTION.items():
        yield Case("multihead_attention", label, (q, q, q), {"heads": heads})
    for label, (rows, inputs, outputs) in _LINEAR.items():
        yield Case("linear", label, ((rows, inputs), (outputs, inputs), (outputs,)))
    for label, shape in _ANY_SHAPE.items():
        yield Case("relu", label, (shape,))
        yield Case("sigmoid", label, (shape,))
        yield Case("gelu", label, (shape,))
        yield Case("mean_squared_error", label, (shape,), extras=_target)
        yield Case("dropout", label, (shape,), {"rate": 0.4}, _keep)
    for label, shape in {
        "three classes": (5, 3),
        "one row": (1, 4),
        "two classes": (6, 2),
        "ten classes": (17, 10),
    }.items():
        yield Case("softmax_cross_entropy", label, (shape,), extras=_labels)
        yield Case("softmax_cross_entropy", f"{label}, smoothed", (shape,), {"label_smoothing": 0.1}, _labels)


CASES = tuple(_cases())
