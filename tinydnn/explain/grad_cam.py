"""Grad-CAM: the channels of a feature map, weighted by the mean gradient of the score."""

from tinydnn.backend import Array, array_module
from tinydnn.explain.feature_map import feature_map_and_gradient
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Sequential


def grad_cam(model: Sequential, x: Array, classes: Array, *, layer: str | None = None) -> Array:
    """The positions whose features speak for the class.

        g[n,k,i,j] = ∂s[n] / ∂A[n,k,i,j]          A: the output of `layer`
        α[n,k]     = 1/(H'·W') · Σ_{i,j} g[n,k,i,j]
        a[n,i,j]   = relu(Σ_k α[n,k] · A[n,k,i,j])        then upsampled to the size of x

    x: (N, C, H, W). a: (N, H, W). classes: (N,) integers. layer: by default the last one of rectified features.

    Source: Selvaraju et al., Grad-CAM (2017), equations 1 and 2.
    """
    features, g = feature_map_and_gradient(model, x, classes, layer)
    xp = array_module(features)
    alpha = g.mean(axis=(2, 3))
    return upsample(xp.maximum(0, xp.einsum("nk,nkij->nij", alpha, features)), *x.shape[2:])
