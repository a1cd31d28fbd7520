"""The least work of an operation of a given size: FLOPs of its mathematics and bytes that must move."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from tinydnn.bench.peaks import Peaks
from tinydnn.errors import InputError
from tinydnn.gradcheck.cases import CASES, Case, Shape


@dataclass(frozen=True)
class Cost:
    """FLOPs (products with zeros of the padding count) and bytes of all inputs and outputs, each counted once."""

    flops: int
    bytes: int

    @property
    def intensity(self) -> float:
        """FLOPs per byte."""
        return self.flops / self.bytes

    def bound(self, peaks: Peaks) -> tuple[str, float]:
        """The limiting resource, "arithmetic" or "memory", and a lower bound on the seconds."""
        arithmetic, memory = self.flops / peaks.gflops / 1e9, self.bytes / peaks.gbytes / 1e9
        return ("arithmetic", arithmetic) if arithmetic >= memory else ("memory", memory)


# Shapes of x, and of w if there is one, in typical layers of the baseline network.
DEFAULTS: dict[str, tuple[Shape, ...]] = {
    "conv2d": ((8, 16, 128, 128), (32, 16, 3, 3)),
    "conv2d_relu": ((8, 16, 128, 128), (32, 16, 3, 3)),
    "conv2d_relu_maxpool2d": ((8, 16, 128, 128), (32, 16, 3, 3)),
    "linear": ((32, 32768), (128, 32768)),
    "softmax_cross_entropy": ((1024, 10),),
    "layernorm": ((32, 256, 64),),
    "multihead_attention": ((32, 256, 64),),
}
IMAGES: Shape = (8, 32, 128, 128)
# The shapes of the other arguments, for an x of this shape.
OTHERS: dict[str, Callable[[Shape], tuple[Shape, ...]]] = {
    "attention_pool2d": lambda x: ((x[0], 1, *x[2:]),),
    "batchnorm2d": lambda x: (x[1:2], x[1:2]),
    "gate2d": lambda x: (x[:2],),
    "layernorm": lambda x: (x[2:], x[2:]),
    "multihead_attention": lambda x: (x, x),
}
# FLOPs per element of x, forward and backward, of the operations without w; (1, 1) by default.
FLOPS_PER_ELEMENT = {
    "attention_pool2d": (2, 4),
    "batchnorm2d": (4, 9),
    "channel_mean_max": (2, 3),
    "gate2d": (1, 3),
    "gelu": (5, 7),
    "layernorm": (7, 13),
    "moments": (4, 3),
    "sigmoid": (4, 3),
    "softmax_cross_entropy": (5, 2),
    "mean_squared_error": (3, 2),
}


def bench_case(operation: str, shapes: tuple[Shape, ...] = ()) -> Case:
    """The operation on x (and w) of these shapes, those of a typical layer by default; convolutions keep the size.

    Raises `InputError` for more shapes, or another number of axes, than the operation takes.
    """
    template = next((case for case in CASES if case.operation == operation), None)
    if template is None:
        raise InputError(f"{operation}: expected cases in tinydnn.gradcheck.cases, found none")
    default = DEFAULTS.get(operation, (IMAGES,))
    shapes = shapes + default[len(shapes) :]
    if len(shapes) != len(default):
        raise InputError(f"--shape: expected at most {len(default)} shapes for {operation}, found {len(shapes)}")
    options = dict(template.options)
    if operation == "linear":
        shapes = (shapes[0], (shapes[1][0], shapes[0][-1]), (shapes[1][0],))
    elif len(default) == 2:
        x, w = shapes
        if len(x) != 4 or len(w) != 4:
            raise InputError(f"--shape: expected NxCxHxW,OxCxKxK, found {len(x)} and {len(w)} sizes")
        shapes, options = (x, (w[0], x[1], *w[2:]), (w[0],)), {"padding": w[2] // 2}
    elif operation in OTHERS:
        shapes = (*shapes, *OTHERS[operation](shapes[0]))
    return replace(template, label="x".join(map(str, shapes[0])), shapes=shapes, options=options)


def costs(case: Case, dtype: str) -> tuple[Cost, Cost]:
    """The costs of the forward and the backward pass. Backward computes two products: for dx and for dw."""
    arrays = [x if x is None else x.astype(dtype) for x in case.arrays()]
    size = int(case.function("reference")(*arrays)[0].size)
    inputs, itemsize = sum(x.size for x in arrays if x is not None), np.dtype(dtype).itemsize
    x, *others = (shape for shape in case.shapes if shape is not None)
    if case.operation == "linear":
        forward = 2 * prod(x) * others[0][0]
        backward = 2 * forward
    elif case.operation == "multihead_attention":
        count, tokens, features = x
        forward = 4 * count * tokens**2 * features  # q · kᵀ and a · v
        backward = 2 * forward
    elif case.operation.startswith("conv2d"):
        w, padding = others[0], case.options["padding"]
        convolved = x[0] * w[0] * prod(x[2 + i] + 2 * padding - w[2 + i] + 1 for i in (0, 1))
        pooling = 2 * convolved if "maxpool2d" in case.operation else 0  # ReLU and pooling: a comparison per pixel each
        forward, backward = (flops * prod(w[1:]) * convolved + pooling for flops in (2, 4))
    else:
        forward, backward = (flops * prod(x) for flops in FLOPS_PER_ELEMENT.get(case.operation, (1, 1)))
    return Cost(forward, (inputs + size) * itemsize), Cost(backward, (2 * inputs + size) * itemsize)
