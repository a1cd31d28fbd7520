"""Sanity checks: an explanation of a network must change when the network does.

Source: Adebayo et al., Sanity Checks for Saliency Maps (2018).
"""

import inspect
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.explain.method import Method
from tinydnn.layers import Buffer, Layer, Parameter, Sequential

STRONG = 0.5  # Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), section 3.2: a large correlation
PASSED, FAILED_LAST, FAILED_ALL = "passed", "failed: last layer", "failed: all layers"


@dataclass(frozen=True)
class Cascade:
    """How the maps of a method change while the layers are randomised from the last to the first.

    layers: the layer that each stage randomised. correlations: of each stage, the mean rank correlation of its maps
    with those of the trained network. random_pair: the same between two networks whose layers are all random: what two
    maps have in common although no weights are, which comes from the image and from the architecture.
    """

    layers: tuple[str, ...]
    correlations: tuple[float, ...]
    random_pair: float

    @property
    def verdict(self) -> str:
        """Whether the method passed.

        It failed for all layers if the maps hardly change although all weights are random, and for the last layer if
        they hardly change although that layer, which tells the classes apart, is random. They hardly change if the mean
        rank correlation is `STRONG` = 0.5 or more. That a method passed says nothing but that it depends on the
        weights.
        """
        if self.correlations[-1] >= STRONG:
            return FAILED_ALL
        return FAILED_LAST if self.correlations[0] >= STRONG else PASSED


def cascade(method: Method, model: Sequential, x: Array, classes: Array, *, seed: int = 0) -> Cascade:
    """Randomise the layers of a copy of the model one after the other, and compare the maps with the original ones.

    A stage gives its layer new initial weights, and keeps the random ones of the layers after it. The classes are those
    of the trained network at every stage. x: (N, C, H, W). classes: (N,) integers.

    Source: Adebayo et al. (2018), section 3.1, cascading randomization.
    """
    original = method.maps(model, x, classes)
    names, correlations = [], []
    for name, randomised in randomisations(model, seed=seed):
        maps = method.maps(randomised, x, classes)
        names.append(name)
        correlations.append(mean_rank_correlation(original, maps))
    *_, (_, other) = randomisations(model, seed=seed + 1)
    return Cascade(tuple(names), tuple(correlations), mean_rank_correlation(maps, method.maps(other, x, classes)))


def compare_networks(method: Method, model: Sequential, other: Sequential, x: Array, classes: Array) -> float:
    """The mean rank correlation of the maps of two networks, such as one trained on true and one on random labels.

    An explanation of what a network has learned must differ between them. x: (N, C, H, W). classes: (N,) integers.

    Source: Adebayo et al. (2018), section 3.2, the data randomization test.
    """
    return mean_rank_correlation(method.maps(model, x, classes), method.maps(other, x, classes))


def mean_rank_correlation(first: Array, second: Array) -> float:
    """Spearman's rank correlation of the pixels of two maps, the mean over the maps. first, second: (N, H, W).

    A constant map has no ranks; its correlation with any other counts as 0.
    """
    pairs = zip(to_device(first, "cpu"), to_device(second, "cpu"), strict=True)
    return float(np.mean([_rank_correlation(a, b) for a, b in pairs]))


def _rank_correlation(a: Array, b: Array) -> float:
    from scipy.stats import spearmanr

    return 0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a.ravel(), b.ravel()).statistic)


def randomisations(model: Sequential, *, seed: int = 0) -> Iterator[tuple[str, Sequential]]:
    """The name of each layer with parameters, from the last to the first, and a model that is random from there on.

    It is the same copy of the model every time, changed in place. Layers inside others, such as those of a `Concat`,
    are stages of their own.
    """
    randomised, rng = deepcopy(model), np.random.default_rng(seed)
    for name, layer in reversed(list(_learning_layers(randomised))):
        _reset(layer, rng)
        yield name, randomised


def _learning_layers(layer: Layer, prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """The layers that have parameters of their own, in order, with their full names."""
    for name, inner in layer.named_layers():
        if any(isinstance(member, Parameter) for member in vars(inner).values()):
            yield f"{prefix}{name}", inner
        yield from _learning_layers(inner, f"{prefix}{name}/")


def _reset(layer: Layer, rng: np.random.Generator) -> None:
    """Give the layer new initial parameters, and in batch normalisation the initial moments.

    Weights that begin as a constant, such as those of `AttentionPool2d`, would make maps constant, which says nothing
    about the method: they become normal random numbers with the standard deviation of the trained ones.
    """
    random = {"rng": rng} if "rng" in inspect.signature(type(layer)).parameters else {}
    as_built: Layer = type(layer)(**layer.config(), **random)
    for name, member in vars(layer).items():
        if isinstance(member, Parameter | Buffer):
            initial = getattr(as_built, name).value
            if name == "weight" and np.ptp(initial) == 0:
                initial = float(member.value.std()) * rng.standard_normal(initial.shape)
            member.value = array_module(member.value).asarray(initial, member.value.dtype)
