"""A table of a model's layers: output shapes, parameters, FLOPs and the implementations that run."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from tinydnn import html, ops
from tinydnn.backend import array_module
from tinydnn.layers.fusion import fused
from tinydnn.layers.layer import Layer, Shape

HEADER = ("layer", "output", "parameters", "FLOPs", "implementation")


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


@dataclass(frozen=True)
class Summary:
    """The table of a model; print it, or leave it as the value of a notebook's cell."""

    rows: tuple[Row, ...]

    @property
    def parameters(self) -> int:
        """The number of parameters of all layers."""
        return sum(row.parameters for row in self.rows)

    @property
    def flops(self) -> int:
        """The FLOPs of all layers."""
        return sum(row.flops for row in self.rows)

    def __str__(self) -> str:
        cells = [HEADER, *self._cells()]
        widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
        lines = [
            f"{name:{widths[0]}}  {shape:{widths[1]}}  {count:>{widths[2]}}  {cost:>{widths[3]}}  {label}".rstrip()
            for name, shape, count, cost, label in cells
        ]
        rule = "-" * max(len(line) for line in lines)
        return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1]])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        return html.table(HEADER, self._cells(), columns="llrrl", last_is_total=True)

    def _cells(self) -> list[tuple[str, ...]]:
        cells = []
        for row in self.rows:
            name = row.name if row.name.endswith(f"-{row.kind}") else f"{row.name} ({row.kind})"
            shape = " x ".join(str(size) for size in row.output_shape)
            cells.append((name, shape, f"{row.parameters:,}", f"{row.flops:,}", ", ".join(row.implementations) or "-"))
        return [*cells, ("all", "", f"{self.parameters:,}", f"{self.flops:,}", "")]
