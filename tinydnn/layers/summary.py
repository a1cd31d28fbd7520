"""A table of a model's layers: output shapes, parameters, FLOPs and the implementations that run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tinydnn import ops
from tinydnn.backend import array_module
from tinydnn.layers.fusion import fused
from tinydnn.layers.layer import Layer, Shape


@dataclass(frozen=True)
class Row:
    """A layer at a given input shape. Shapes are without the batch axis; FLOPs are of one forward pass of an image."""

    name: str
    kind: str
    output_shape: Shape
    parameters: int
    flops: int
    implementations: tuple[str, ...]


def layer_rows(layers: Sequence[tuple[str, Layer]], input_shape: Shape) -> Iterator[Row]:
    """Run a chain of named layers on an image of zeros and describe each layer."""
    chain = [layer for _, layer in layers]
    values = [parameter.value for layer in chain for parameter in layer.parameters().values()]
    xp = array_module(values[0]) if values else np
    x = xp.zeros((1, *input_shape), values[0].dtype if values else np.float32)
    for index, length, call in fused(chain):
        with ops.trace() as trace:
            call(x)
        implementations = tuple(f"{record.operation}: {record.implementation}" for record in trace)
        for name, layer in layers[index : index + length]:
            z = layer.predict(x)  # unfused, for its output shape
            sizes = [prod(parameter.value.shape) for parameter in layer.parameters().values()]
            flops = layer.flops(x.shape[1:], z.shape[1:])
            yield Row(name, type(layer).__name__.lower(), z.shape[1:], sum(sizes), flops, implementations)
            x, implementations = z, (f"with {layers[index][0]}",)


def summary(layers: Sequence[tuple[str, Layer]], input_shape: Shape) -> str:
    """The rows of `layer_rows` as a table with totals."""
    rows = list(layer_rows(layers, input_shape))
    cells = [("layer", "output", "parameters", "FLOPs", "implementation")]
    for row in rows:
        name = row.name if row.name.endswith(f"-{row.kind}") else f"{row.name} ({row.kind})"
        shape = " x ".join(str(size) for size in row.output_shape)
        cells.append((name, shape, f"{row.parameters:,}", f"{row.flops:,}", ", ".join(row.implementations) or "-"))
    parameters, flops = sum(row.parameters for row in rows), sum(row.flops for row in rows)
    cells.append(("all", "", f"{parameters:,}", f"{flops:,}", ""))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [
        f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}  {cost:>{widths[3]}}  {label}".rstrip()
        for name, shape, count, cost, label in cells
    ]
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
