"""The methods of explanation by name."""

from tinydnn.errors import InputError
from tinydnn.explain.grad_cam import grad_cam
from tinydnn.explain.gradient_x_input import gradient_x_input
from tinydnn.explain.method import Method, evidence, magnitude, unchanged
from tinydnn.explain.saliency import saliency
from tinydnn.layers import Sequential

METHODS = {
    method.name: method
    for method in (
        Method("saliency", "Saliency", saliency, magnitude),
        Method("gradient-x-input", "Gradient × input", gradient_x_input, evidence),
        Method("grad-cam", "Grad-CAM", grad_cam, unchanged, takes_layer=True),
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
