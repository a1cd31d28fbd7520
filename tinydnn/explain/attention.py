"""Attention maps: where a network that attends looks."""

from dataclasses import dataclass, field

from tinydnn.backend import Array, array_module
from tinydnn.errors import InputError
from tinydnn.explain.upsample import upsample
from tinydnn.layers import AttentionPool2d, Layer, Residual, SelfAttention, Sequential, SpatialAttention, Tokens
from tinydnn.layers.fusion import fused

ATTENDING = (AttentionPool2d, SelfAttention, SpatialAttention)


def attention(model: Sequential, x: Array, classes: Array) -> Array:
    """The attention of the last layer that attends, upsampled to the size of x; it is the same for all `classes`.

    `AttentionPool2d` and `SpatialAttention`: the weight of each position. `SelfAttention`: attention rollout, which
    follows the tokens back through all L layers of it:

        Â_l    = 1/2 · mean over heads of A_l + 1/2 · I          I for the identity beside the attention
        R      = Â_L · … · Â_2 · Â_1                             R[n,t,u]: the share of patch u in token t
        a[n,u] = 1/T · Σ_t R[n,t,u]                              the classifier sees the mean of the tokens

    A map of attention says what is mixed, not whether it speaks for a class or against it. x: (N, C, H, W). a: (N, H,
    W). Raises `InputError` for a model without such a layer.

    Source: Abnar and Zuidema, Quantifying Attention Flow in Transformers (2020), section 3, attention rollout; they
    start from a class token where here the mean stands.
    """
    found = _Found()
    _run(model, x, found)
    if not found.maps:
        names = ", ".join(kind.__name__ for kind in ATTENDING)
        raise InputError(f"attention: expected a model with a layer that attends ({names}), found none")
    last = found.maps[-1]
    if last.ndim == 4:
        last = _rollout([a for a in found.maps if a.ndim == 4]).reshape(len(x), *found.grid)
    return upsample(last, *x.shape[2:])


def attends(model: Layer) -> bool:
    """Whether the model is a layer that attends, or a chain or residual with one in it."""
    inner = model.named_layers() if isinstance(model, Sequential | Residual) else ()
    return isinstance(model, ATTENDING) or any(attends(layer) for _, layer in inner)


def _rollout(maps: list[Array]) -> Array:
    """The map of `attention`, (N, T), from the maps (N, heads, T, T) of the layers in order."""
    xp, tokens = array_module(maps[0]), maps[0].shape[2]
    share = xp.full((len(maps[0]), 1, tokens), 1 / tokens, maps[0].dtype)  # of each token in the mean
    for a in reversed(maps):
        share = (share @ a.mean(axis=1) + share) / 2
    return share[:, 0]


@dataclass
class _Found:
    """What a pass through the layers finds: the maps, in order, and the rows and columns that the tokens were."""

    maps: list[Array] = field(default_factory=list)
    grid: tuple[int, ...] = ()


def _run(layer: Layer, x: Array, found: _Found) -> Array:
    """The output of a layer for x; the maps of it, or of the layers in it, are added to `found`."""
    if isinstance(layer, Sequential):
        for _, _, call in fused(layer.layers):
            x = _run(call, x, found) if isinstance(call, Layer) else call.predict(x)
        return x
    if isinstance(layer, Residual):
        return layer.add(x, _run(layer.branch, x, found))
    if isinstance(layer, ATTENDING):
        found.maps.append(layer.attention(x))
    elif isinstance(layer, Tokens):
        found.grid = x.shape[2:]
    return layer.predict(x)
