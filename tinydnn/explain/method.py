"""What a method of explanation is, and how its attributions become maps that can be compared."""

from collections.abc import Callable
from dataclasses import dataclass

from tinydnn.backend import Array, array_module
from tinydnn.explain.copies import BATCH
from tinydnn.layers import Sequential


def magnitude(attributions: Array) -> Array:
    """How much a pixel matters, in whichever direction: Σ_c |a[n,c,i,j]|, (N, H, W)."""
    return abs(attributions).sum(axis=1)


def evidence(attributions: Array) -> Array:
    """What speaks for the class: max(0, Σ_c a[n,c,i,j]), (N, H, W)."""
    return array_module(attributions).maximum(0, attributions.sum(axis=1))


def positive(attributions: Array) -> Array:
    """What speaks for the class, for a method whose attributions are maps with signs: max(0, a[n,i,j]), (N, H, W)."""
    return array_module(attributions).maximum(0, attributions)


def unchanged(attributions: Array) -> Array:
    """For a method whose attributions are maps (N, H, W) of evidence already."""
    return attributions


def always(model: Sequential) -> bool:
    """The `supports` of a method that explains every model."""
    return True


@dataclass(frozen=True)
class Method:
    """A method of explanation.

    name: on the command line. title: in plots and tables. attribute: the function `(model, x, classes)` of the
    attributions, (N, C, H, W) or (N, H, W); with `takes_layer` it has an argument `layer`, too. relevance: from
    attributions to a map (N, H, W) of numbers from 0, the larger the more relevant. supports: whether it can explain
    the model.
    """

    name: str
    title: str
    attribute: Callable[..., Array]
    relevance: Callable[[Array], Array]
    takes_layer: bool = False
    supports: Callable[[Sequential], bool] = always

    def maps(self, model: Sequential, x: Array, classes: Array, *, layer: str | None = None) -> Array:
        """The relevance of every pixel, (N, H, W), computed in batches. x: (N, C, H, W). classes: (N,) integers."""
        options = {"layer": layer} if self.takes_layer else {}
        batches = [slice(start, start + BATCH) for start in range(0, len(x), BATCH)]
        maps = [self.relevance(self.attribute(model, x[batch], classes[batch], **options)) for batch in batches]
        return array_module(x).concatenate(maps)
