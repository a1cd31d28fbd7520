"""The feature maps of any layer, also of one inside another."""

from tinydnn.backend import Array
from tinydnn.errors import InputError
from tinydnn.explain.feature_map import layer_index
from tinydnn.layers import Layer, Sequential


def feature_maps(model: Sequential, x: Array, layer: str) -> Array:
    """The output (N, C', H', W') of a layer for the images x (N, C, H, W), in evaluation mode.

    layer: as `layers_up_to` takes. Raises `InputError` if there is none of this name, or its output has no positions.
    """
    z = layers_up_to(model, layer).predict(x)
    if z.ndim != 4:
        raise InputError(f"layer {layer}: expected a feature map (N, C, H, W), found an output of shape {z.shape}")
    return z


def layers_up_to(model: Sequential, layer: str) -> Sequential:
    """The chain of layers that computes the output of a layer; it shares them with the model.

    layer: the name of a layer, or the names from the outermost to the innermost, as those of its arrays begin:
    "03-features.3/02-concat/01-sequential/00-expand3x3". The number of a layer may be left out where no other layer
    beside it has its name. What is inside a layer that is no chain itself, such as a branch of `Concat`, has the input
    of that layer. Raises `InputError` if there is no such layer.
    """
    layers: list[Layer] = []
    found: Layer = model
    for name in layer.split("/"):
        index = layer_index(found, name)
        if isinstance(found, Sequential):
            layers += found.layers[:index]
        _, found = list(found.named_layers())[index]
    return Sequential(*layers, found, input_shape=model.input_shape)
