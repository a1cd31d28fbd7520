"""Grad-CAM++: the channels of a feature map, weighted by the positive gradients of each position."""

from tinydnn.backend import Array, array_module
from tinydnn.explain.feature_map import feature_map_and_gradient
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Sequential


def grad_cam_plus_plus(model: Sequential, x: Array, classes: Array, *, layer: str | None = None) -> Array:
    """Grad-CAM with weights that count every position that speaks for the class, however few there are.

        g[n,k,i,j] = ∂s[n] / ∂A[n,k,i,j]          A: the output of `layer`
        α[n,k,i,j] = g² / (2·g² + g³ · Σ_{u,v} relu(A[n,k,u,v]))
        w[n,k]     = Σ_{i,j} α[n,k,i,j] · relu(g[n,k,i,j])
        a[n,i,j]   = relu(Σ_k w[n,k] · A[n,k,i,j])        then upsampled to the size of x

    α is the paper's closed form for the score Y = exp(s) and layers that are linear but for ReLU, where the second and
    third derivatives of Y are exp(s) · g² and exp(s) · g³. In α the factor exp(s[n]) cancels. In w it scales the whole
    map of an image and overflows for s[n] > 88, so it is left out. Where g ≤ 0, relu(g) is 0; elsewhere
    α = 1 / (2 + g · Σ relu(A)), which is how it is computed. The relu within the sum changes nothing for rectified
    features, and keeps α positive for others.

    x: (N, C, H, W). a: (N, H, W). classes: (N,) integers. layer: by default the last one of rectified features.

    Source: Chattopadhay et al., Grad-CAM++ (2018), section 3: the closed form of α, with the exponential as the last
    function.
    """
    features, g = feature_map_and_gradient(model, x, classes, layer)
    xp = array_module(features)
    positive = xp.maximum(0, g)
    alpha = 1 / (2 + positive * xp.maximum(0, features).sum(axis=(2, 3), keepdims=True))
    w = (alpha * positive).sum(axis=(2, 3))
    return upsample(xp.maximum(0, xp.einsum("nk,nkij->nij", w, features)), *x.shape[2:])
