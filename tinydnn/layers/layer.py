"""The base class of layers: an operation together with its learned parameters."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias, TypeVar

import numpy as np

from tinydnn.backend import Array, array_module, to_device
from tinydnn.words import count

Backward: TypeAlias = Callable[..., Any]
Shape: TypeAlias = tuple[int, ...]
T = TypeVar("T")


@dataclass
class Parameter:
    """A learned array and its gradient, which the last backward pass has set.

    lr_scale: multiplies the optimizer's learning rate; 0 freezes the parameter.
    """

    value: Array
    grad: Array | None = None
    lr_scale: float = 1.0


@dataclass
class Buffer:
    """An array that is part of the model and changes in training, but has no gradient."""

    value: Array


class Layer(ABC):
    """A function of x whose backward pass also sets the gradients of its parameters.

    Its state is its attributes of type `Parameter` and `Buffer` by name, and those of the layers it contains as
    "layer/name". Calls are stateless: the returned backward function holds what it needs.
    """

    @abstractmethod
    def __call__(self, x: Array, *, training: bool = False) -> tuple[Array, Backward]:
        """The output z for x, and `backward(dz)`, which sets `.grad` of every parameter and returns dx.

        The backward function of a layer with parameters also takes `need_dx=False`, and then returns None.
        """

    def config(self) -> dict[str, int | float | bool | None]:
        """The constructor's arguments, without the generator."""
        return {}

    def named_layers(self) -> Iterable[tuple[str, "Layer"]]:
        """The layers that this one contains, with their names; none by default."""
        return ()

    def parameters(self) -> dict[str, Parameter]:
        """The parameters by name."""
        return self._members(Parameter, "parameters")

    def buffers(self) -> dict[str, Buffer]:
        """The buffers by name."""
        return self._members(Buffer, "buffers")

    def generators(self) -> dict[str, np.random.Generator]:
        """The random generators by name, from which training draws."""
        return self._members(np.random.Generator, "generators")

    def _members(self, kind: type[T], method: str) -> dict[str, T]:
        members = {name: member for name, member in vars(self).items() if isinstance(member, kind)}
        for layer_name, layer in self.named_layers():
            members |= {f"{layer_name}/{name}": member for name, member in getattr(layer, method)().items()}
        return members

    def __repr__(self) -> str:
        """The constructor's call without the generator; a layer that contains others lists them, one a line."""
        inner = list(self.named_layers())
        if not inner:
            return _call(self)
        lines = [f"{type(self).__name__}: {count(len(inner), 'layer')}{_count(self)}"]
        for name, layer in inner:
            first, *rest = repr(layer).splitlines()
            lines += [f"  {name}: {first}{'' if rest else _count(layer)}", *(f"  {line}" for line in rest)]
        return "\n".join(lines)

    def flops(self, input_shape: Shape, output_shape: Shape) -> int:
        """Floating-point operations of the forward pass; multiplication, addition and comparison count 1 each."""
        return prod(output_shape)

    def predict(self, x: Array) -> Array:
        """The output for x in evaluation mode, without a backward function."""
        return self(x)[0]

    def state(self) -> dict[str, Array]:
        """The values of all parameters and buffers by name, not copied: an optimizer step changes them."""
        return {name: member.value for name, member in self._state().items()}

    def load_state(self, state: Mapping[str, Array]) -> None:
        """Load values by name. Raises `ValueError` for missing or unknown names and wrong shapes."""
        own = self._state()
        if own.keys() != state.keys():
            missing, extra = sorted(own.keys() - state.keys()), sorted(state.keys() - own.keys())
            raise ValueError(f"state: expected {len(own)} arrays; missing {missing}, unknown {extra}")
        for name, member in own.items():
            if member.value.shape != state[name].shape:
                raise ValueError(f"state: {name}: expected shape {member.value.shape}, found {state[name].shape}")
        for name, member in own.items():
            member.value = array_module(member.value).array(state[name], member.value.dtype)

    def random_state(self) -> dict[str, Any]:
        """The states of all generators by name, as JSON values."""
        return {name: generator.bit_generator.state for name, generator in self.generators().items()}

    def set_random_state(self, state: Mapping[str, Any]) -> None:
        """Restore the states of `random_state`: the same draws follow."""
        for name, generator in self.generators().items():
            generator.bit_generator.state = state[name]

    def astype(self, dtype: Any) -> "Layer":
        """Convert all parameters and buffers to `dtype` in place; returns the layer."""
        for member in self._state().values():
            member.value = member.value.astype(dtype)
        return self

    def to(self, device: str) -> "Layer":
        """Move all parameters and buffers to "cpu", "cuda" or "cuda:N" in place; returns the layer."""
        for member in self._state().values():
            member.value = to_device(member.value, device)
        return self

    def _state(self) -> dict[str, Parameter | Buffer]:
        return {**self.parameters(), **self.buffers()}


def _call(layer: Layer) -> str:
    arguments = [
        str(value) if name.startswith(("in_", "out_")) else f"{name}={value}"
        for name, value in layer.config().items()
        if value is not None
    ]
    return f"{type(layer).__name__}({', '.join(arguments)})"


def _count(layer: Layer) -> str:
    total = sum(prod(parameter.value.shape) for parameter in layer.parameters().values())
    return f", {total:,} parameters" if total else ""


def he_normal(shape: Shape, fan_in: int, rng: np.random.Generator) -> Array:
    """Initial weights: normal, mean 0, standard deviation √(2 / fan_in), as float32.

    Drawn on the CPU whatever the device, so that a seed gives the same weights everywhere.

    Source: He et al., Delving Deep into Rectifiers, section 2.2.
    """
    return (rng.standard_normal(shape) * np.sqrt(2 / fan_in)).astype(np.float32)
