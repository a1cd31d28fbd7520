"""What a model consists of, what it costs, and which implementations run."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tinydnn import ops
from tinydnn.backend import array_module
from tinydnn.layers.fusion import calls
from tinydnn.layers.layer import Shape
from tinydnn.layers.sequential import Sequential


@dataclass(frozen=True)
class Row:
    """A layer of a model at a given input shape; shapes without the batch axis, FLOPs of one forward pass."""

    name: str
    output_shape: Shape
    parameters: int
    flops: int
    implementations: tuple[str, ...]


def layer_rows(model: Sequential, input_shape: Shape) -> Iterator[Row]:
    """Send a picture of zeros through the model and yield what each layer makes of it."""
    values = list(model.parameters().values())
    xp = array_module(values[0].value) if values else np
    x = xp.zeros((1, *input_shape), values[0].value.dtype if values else np.float32)
    named = list(model.named_layers())
    for index, length, call in calls(model.layers):
        with ops.trace() as traced:
            call(x)
        ran = tuple(f"{one.operation}: {one.implementation}" for one in traced)
        for name, layer in named[index : index + length]:
            z = layer.predict(x)  # on its own, because inside a run its shape is not to be seen
            yield Row(
                name=name,
                output_shape=z.shape[1:],
                parameters=sum(one.value.size for one in layer.parameters().values()),
                flops=layer.flops(x.shape[1:], z.shape[1:]),
                implementations=ran,
            )
            x, ran = z, (f"with {named[index][0]}",)


def summary(model: Sequential, input_shape: Shape) -> str:
    """The rows of `layer_rows` as a table with a total."""
    rows = list(layer_rows(model, input_shape))
    cells = [("layer", "output", "parameters", "FLOPs", "implementation")]
    for row, layer in zip(rows, model.layers, strict=True):
        kind = type(layer).__name__.lower()
        name = row.name if row.name.endswith(f"-{kind}") else f"{row.name} ({kind})"
        shape = " x ".join(str(size) for size in row.output_shape)
        cells.append((name, shape, f"{row.parameters:,}", f"{row.flops:,}", ", ".join(row.implementations) or "-"))
    parameters, flops = sum(row.parameters for row in rows), sum(row.flops for row in rows)
    cells.append(("all", "", f"{parameters:,}", f"{flops:,}", ""))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = [
        f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}  {cost:>{widths[3]}}  {ran}".rstrip()
        for name, shape, count, cost, ran in cells
    ]
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])
