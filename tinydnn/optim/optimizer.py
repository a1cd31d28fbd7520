"""The base class of optimizers: parameters, a learning rate, the state of the update rule, and a step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from tinydnn.backend import Array, array_module, device_of
from tinydnn.layers import Parameter
from tinydnn.optim.flat import FlatStep

CHUNK = 1 << 14  # elements


class Optimizer(ABC):
    """Moves parameters against their gradients by an update rule.

    lr: the learning rate, which may be set before any step. `state` holds the running averages that the rule keeps,
    under their name and the parameter's. `step_counts` counts the steps of each parameter; one that was frozen has
    fewer. Both are part of a checkpoint.

    A subclass defines the update rule as `update(theta, g, *state, **scalars, **constants)`: array code that moves
    elements θ with the gradient g and their state in place, on any device. `implementation` registers another one for
    a device, as kernels do.
    """

    update: ClassVar[Callable[..., None]]
    implementations: ClassVar[dict[str, Callable[..., None]]]

    def __init_subclass__(cls) -> None:
        if "update" in vars(cls):  # a subclass with the update rule of its base shares the implementations too
            cls.implementations = {}

    @classmethod
    def implementation(cls, device: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Register the decorated function as the update rule for a device, "cpu" or "cuda".

        It updates flat buffers of all parameters at once. In place of the scalars it takes `scalars`, an array of them
        on its device, so that a captured step can be replayed.
        """

        def register(rule: Callable[..., None]) -> Callable[..., None]:
            cls.implementations[device] = rule
            return rule

        return register

    def __init__(
        self, parameters: Mapping[str, Parameter], *, lr: float, weight_decay: float, state: tuple[str, ...]
    ) -> None:
        if not isinstance(parameters, Mapping):
            raise TypeError(
                f"{type(self).__name__}: parameters: expected those of a model, model.parameters(), "
                f"found {type(parameters).__name__}"
            )
        for argument, value in {"lr": lr, "weight_decay": weight_decay}.items():
            if not value >= 0 or not np.isfinite(value):
                raise ValueError(f"{type(self).__name__}: {argument}: expected a number of at least 0, found {value}")
        self.parameters = dict(parameters)
        self.lr, self.weight_decay = float(lr), float(weight_decay)
        self.step_counts = dict.fromkeys(self.parameters, 0)
        self.state: dict[str, dict[str, Array]] = {
            name: {key: array_module(item.value).zeros_like(item.value) for key, item in self.parameters.items()}
            for name in state
        }
        self._flat: FlatStep | None = None

    @abstractmethod
    def constants(self) -> dict[str, Any]:
        """The arguments of the update rule that stay the same from step to step."""

    @abstractmethod
    def scalars(self, lr: float, t: int) -> dict[str, float]:
        """The arguments of the update rule that change in each step t = 1, 2, …"""

    @property
    def steps(self) -> int:
        """The number of steps taken by the parameter that has taken the most."""
        return max(self.step_counts.values(), default=0)

    def step(self) -> None:
        """Move every parameter that is not frozen by its gradient, in place, at `lr` times its own `lr_scale`.

        Backward functions of earlier forward passes are invalid afterwards, because they would use the new values.
        """
        for name, parameter in self.parameters.items():
            if parameter.grad is None and parameter.lr_scale:
                raise ValueError(f"{type(self).__name__}: {name}: expected a gradient, found none; run backward first")
        self.prepare()
        self.apply()

    def prepare(self) -> None:
        """The part of a step that a captured GPU step leaves out: count it, and upload the scalars of the step."""
        for name, parameter in self.parameters.items():
            self.step_counts[name] += bool(parameter.lr_scale)
        self.lr = float(self.lr)  # a NumPy scalar would turn float32 into float64
        self._flat = self._flat_step()
        if self._flat is not None:
            self._flat.upload(self.scalars(self.lr, max(self.steps, 1)))

    def apply(self) -> None:
        """The part of a step that a GPU can capture and replay: move the parameters."""
        constants = self.constants()
        if self._flat is not None:
            self._flat.apply(self.parameters, constants)
            return
        for name, parameter in self.parameters.items():
            if not parameter.lr_scale:
                continue
            assert parameter.grad is not None
            if not parameter.value.flags.c_contiguous:  # a flat view of it could not be written to
                parameter.value = parameter.value.copy(order="C")
            arrays = [parameter.value.reshape(-1), parameter.grad.reshape(-1)]
            for averages in self.state.values():
                if not averages[name].flags.c_contiguous:
                    averages[name] = averages[name].copy(order="C")
                arrays.append(averages[name].reshape(-1))
            arguments = self.scalars(self.lr * parameter.lr_scale, self.step_counts[name]) | constants
            # One chunk at a time stays in the cache for the whole rule.
            chunk = CHUNK if array_module(parameter.value) is np else len(arrays[0])
            for start in range(0, len(arrays[0]), chunk):
                self.update(*[array[start : start + chunk] for array in arrays], **arguments)

    def _flat_step(self) -> FlatStep | None:
        """All parameters and states in flat buffers, where the update rule has an implementation for their device.

        None where the parameters need different scalars, because the flat update takes one set for all.
        """
        first = next(iter(self.parameters.values()), None)
        rule = None if first is None else self.implementations.get(device_of(first.value))
        if rule is None or first is None or first.value.dtype != np.float32:
            return None
        lr_scales = {parameter.lr_scale for parameter in self.parameters.values()}
        scalars = [self.scalars(self.lr, count) for count in set(self.step_counts.values())]
        if lr_scales != {1} or any(values != scalars[0] for values in scalars):
            return None
        if self._flat is not None and self._flat.holds(self.parameters, self.state):
            return self._flat
        return FlatStep(rule, self.parameters, self.state, len(scalars[0]))
