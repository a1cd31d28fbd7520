"""Why a network says what it says: methods of explanation, one file each, with formula and source.

    a = explain.grad_cam(model, x, classes)        # (N, H, W)

All of them use the backward functions of the layers; there is no other differentiation.
"""

from tinydnn.explain.attention import attention
from tinydnn.explain.explanation import Finding, explain_image
from tinydnn.explain.feature_maps import feature_maps, layers_up_to
from tinydnn.explain.grad_cam import grad_cam
from tinydnn.explain.grad_cam_plus_plus import grad_cam_plus_plus
from tinydnn.explain.gradient_x_input import gradient_x_input
from tinydnn.explain.guided_backprop import guided_backprop
from tinydnn.explain.integrated_gradients import completeness_error, integrated_gradients
from tinydnn.explain.layer_cam import layer_cam
from tinydnn.explain.learned_filters import convolutions, learned_filters
from tinydnn.explain.maximise import Maximised, maximise
from tinydnn.explain.method import Method
from tinydnn.explain.methods import METHODS, find_method, methods_for
from tinydnn.explain.neighbours import before_classifier, nearest
from tinydnn.explain.occlusion import occlusion
from tinydnn.explain.regions import regions
from tinydnn.explain.rise import rise
from tinydnn.explain.saliency import saliency
from tinydnn.explain.smooth_grad import smooth_grad

__all__ = [
    "METHODS", "Finding", "Maximised", "Method", "attention", "before_classifier", "completeness_error",
    "convolutions", "explain_image", "feature_maps", "find_method", "grad_cam", "grad_cam_plus_plus",
    "gradient_x_input", "guided_backprop", "integrated_gradients", "layer_cam", "layers_up_to", "learned_filters",
    "maximise", "methods_for", "nearest", "occlusion", "regions", "rise", "saliency", "smooth_grad",
]  # fmt: skip
