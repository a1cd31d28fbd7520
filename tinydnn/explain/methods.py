"""The methods of explanation by name."""

from tinydnn.errors import InputError
from tinydnn.explain.attention import attends, attention
from tinydnn.explain.feature_map import contains_relu, has_feature_map
from tinydnn.explain.grad_cam import grad_cam
from tinydnn.explain.grad_cam_plus_plus import grad_cam_plus_plus
from tinydnn.explain.gradient_x_input import gradient_x_input
from tinydnn.explain.guided_backprop import guided_backprop
from tinydnn.explain.integrated_gradients import integrated_gradients
from tinydnn.explain.layer_cam import layer_cam
from tinydnn.explain.method import Method, evidence, magnitude, positive, unchanged
from tinydnn.explain.occlusion import occlusion
from tinydnn.explain.regions import regions
from tinydnn.explain.rise import rise
from tinydnn.explain.saliency import saliency
from tinydnn.explain.smooth_grad import smooth_grad
from tinydnn.layers import Sequential
from tinydnn.training.loss import has_region_head

METHODS = {
    method.name: method
    for method in (
        Method("saliency", "Saliency", saliency, magnitude),
        Method("gradient-x-input", "Gradient × input", gradient_x_input, evidence),
        Method("guided-backprop", "Guided backpropagation", guided_backprop, magnitude, supports=contains_relu),
        Method("smooth-grad", "SmoothGrad", smooth_grad, magnitude),
        Method("integrated-gradients", "Integrated gradients", integrated_gradients, evidence),
        Method("grad-cam", "Grad-CAM", grad_cam, unchanged, takes_layer=True, supports=has_feature_map),
        Method("grad-cam++", "Grad-CAM++", grad_cam_plus_plus, unchanged, takes_layer=True, supports=has_feature_map),
        Method("layer-cam", "Layer-CAM", layer_cam, unchanged, takes_layer=True, supports=has_feature_map),
        Method("occlusion", "Occlusion", occlusion, positive),
        Method("rise", "RISE", rise, unchanged),
        Method("regions", "Region votes", regions, unchanged, supports=has_region_head),
        Method("attention", "Attention", attention, unchanged, supports=attends),
    )
}


def find_method(name: str) -> Method:
    """The method of a name. Raises `InputError` for an unknown one."""
    if name not in METHODS:
        raise InputError(f"method: expected one of {', '.join(METHODS)}, found {name!r}")
    return METHODS[name]


def methods_for(model: Sequential) -> list[Method]:
    """The methods that can explain this model."""
    return [method for method in METHODS.values() if method.supports(model)]
