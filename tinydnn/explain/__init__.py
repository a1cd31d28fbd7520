"""Why a network says what it says: methods of explanation, one file each, with formula and source.

    a = explain.grad_cam(model, x, classes)        # (N, H, W)

All of them use the backward functions of the layers; there is no other differentiation.
"""

from tinydnn.explain.grad_cam import grad_cam
from tinydnn.explain.gradient_x_input import gradient_x_input
from tinydnn.explain.method import Method
from tinydnn.explain.methods import METHODS, find_method, methods_for
from tinydnn.explain.saliency import saliency

__all__ = ["METHODS", "Method", "find_method", "grad_cam", "gradient_x_input", "methods_for", "saliency"]
