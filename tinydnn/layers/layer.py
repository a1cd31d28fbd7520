"""What every layer is: an operation together with the numbers it learns."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module, to_device

Backward: TypeAlias = Callable[..., Any]
Shape: TypeAlias = tuple[int, ...]


@dataclass
class Parameter:
    """Numbers that are learned, and the gradient that the last backward pass has set for them.

    lr_scale: multiplies the optimizer's learning rate; 0 freezes the parameter.
    """

    value: Array
    grad: Array | None = None
    lr_scale: float = 1.0


@dataclass
class Buffer:
    """Numbers that belong to the model and change in training, but have no gradient."""

    value: Array


class Layer(ABC):
    """A function of x whose backward pass also sets the gradients of its parameters.

    Attributes that hold a `Parameter` or a `Buffer` are the layer's state; their names are the attributes'.
    A layer keeps nothing of a call: what backward needs, the function it returns holds.
    """

    @abstractmethod
    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The value for x, and `backward(dz)`, which sets `.grad` of every parameter and returns dx.

        The backward function of a layer with parameters also takes `need_dx=False`: then it returns None.
        """

    def config(self) -> dict[str, int | float | bool | None]:
        """The arguments that the layer was made with, but for the generator."""
        return {}

    def parameters(self) -> dict[str, Parameter]:
        """The learned numbers by name."""
        return {name: one for name, one in vars(self).items() if isinstance(one, Parameter)}

    def buffers(self) -> dict[str, Buffer]:
        """The numbers by name that are kept but not learned."""
        return {name: one for name, one in vars(self).items() if isinstance(one, Buffer)}

    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators by name that training draws from."""
        return {name: one for name, one in vars(self).items() if isinstance(one, np.random.Generator)}

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Floating-point operations of the forward pass; a multiplication, an addition, a comparison count 1 each."""
        return prod(output_shape)

    def predict(self, x: Array) -> Array:
        """The value for x in evaluation mode, with nothing kept for a backward pass."""
        return self(x)[0]

    def state(self) -> dict[str, Array]:
        """The values of all parameters and buffers by name, as they are: a later step of an optimiser changes them."""
        return {name: one.value for name, one in self._state().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Take over values by name. Raises `ValueError` that names what is missing, left over or of the wrong shape."""
        own = self._state()
        if own.keys() != state.keys():
            missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
            raise ValueError(f"state: expected {len(own)} arrays; missing {missing}, not known {extra}")
        for name, one in own.items():
            if one.value.shape != state[name].shape:
                raise ValueError(f"state: {name}: expected shape {one.value.shape}, found {state[name].shape}")
        for name, one in own.items():
            one.value = array_module(one.value).array(state[name], one.value.dtype)

    def random_state(self) -> dict[str, Any]:
        """The states of all generators by name, ready for JSON."""
        return {name: one.bit_generator.state for name, one in self.generators().items()}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Take over what `random_state` gave: the same draws follow."""
        for name, one in self.generators().items():
            one.bit_generator.state = state[name]

    def astype(self, dtype: Any) -> "Layer":
        """Turn all parameters and buffers into `dtype`, in place; returns the layer."""
        for one in self._state().values():
            one.value = one.value.astype(dtype)
        return self

    def to(self, device: str) -> "Layer":
        """Move all parameters and buffers to "cpu", "cuda" or "cuda:N", in place; returns the layer."""
        for one in self._state().values():
            one.value = to_device(one.value, device)
        return self

    def _state(self) -> dict[str, Parameter | Buffer]:
        return {**self.parameters(), **self.buffers()}


def he_normal(shape: Shape, fan_in: int, rng: np.random.Generator) -> Array:
    """Initial weights: normal, mean 0, standard deviation √(2 / fan_in), as float32.

    Drawn on the CPU whatever the device will be, so that a seed means the same numbers everywhere.

    Source: He et al., Delving Deep into Rectifiers, section 2.2.
    """
    return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
