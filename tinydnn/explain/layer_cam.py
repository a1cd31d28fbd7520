"""Layer-CAM: a feature map, weighted position by position by its positive gradients."""

from tinydnn.backend import Array, array_module
from tinydnn.explain.feature_map import feature_map_and_gradient
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Sequential


def layer_cam(model: Sequential, x: Array, classes: Array, *, layer: str | None = None) -> Array:
    """The positions whose features speak for the class, each weighted by its own gradient.

        g[n,k,i,j] = ∂s[n] / ∂A[n,k,i,j]          A: the output of `layer`
        a[n,i,j]   = relu(Σ_k relu(g[n,k,i,j]) · A[n,k,i,j])        then upsampled to the size of x

    Grad-CAM has one weight for a channel, so it needs deep layers, whose channels stand for one thing each. This has
    one for every position, and so works for the finer maps of early layers too.

    x: (N, C, H, W). a: (N, H, W). classes: (N,) integers. layer: by default the last one of rectified features.

    Source: Jiang et al., LayerCAM: Exploring Hierarchical Class Activation Maps for Localization (2021), section III.
    """
    features, g = feature_map_and_gradient(model, x, classes, layer)
    xp = array_module(features)
    weighted = (xp.maximum(0, g) * features).sum(axis=1)
    return upsample(xp.maximum(0, weighted), *x.shape[2:])
