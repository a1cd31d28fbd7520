"""Optimisers, which turn gradients into steps, and learning-rate schedules."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from math import cos, pi
from typing import TypeAlias

import numpy as np

from tinydnn.backend import Array, array_module, device_of, upload
from tinydnn.kernels.cuda import update
from tinydnn.kernels.cuda.flat import Flat
from tinydnn.layers import Parameter

CHUNK = 1 << 14  # numbers


class Optimizer(ABC):
    """Steps of size `lr` (learning rate) along the gradients; `lr` may be set anew before any step.

    `slots` are the running averages that an optimiser keeps for each parameter, by name, and `taken` says how many
    steps each has taken, for one that is frozen at first has taken fewer: both are part of a checkpoint.
    """

    def __init__(
        self, parameters: Mapping[str, Parameter], *, lr: float, weight_decay: float, slots: tuple[str, ...]
    ) -> None:
        for argument, value in {"lr": lr, "weight_decay": weight_decay}.items():
            if not value >= 0 or not np.isfinite(value):
                raise ValueError(f"{type(self).__name__}: {argument}: expected a number of at least 0, found {value}")
        self.parameters = dict(parameters)
        self.lr, self.weight_decay = float(lr), float(weight_decay)
        self.taken = dict.fromkeys(self.parameters, 0)
        self.slots: dict[str, dict[str, Array]] = {
            slot: {name: array_module(one.value).zeros_like(one.value) for name, one in self.parameters.items()}
            for slot in slots
        }
        self._flat: dict[str, Flat] = {}  # on a GPU: the values, the gradients and each slot

    @property
    def steps(self) -> int:
        """How many steps have been taken: by what has learned longest."""
        return max(self.taken.values(), default=0)

    def step(self) -> None:
        """Move every parameter that is not frozen, in place, by what its gradient asks for, at its own rate.

        A backward function of a pass before this step is of no use after it: it would meet the new values.
        """
        for name, parameter in self.parameters.items():
            if parameter.grad is None and parameter.rate:
                raise ValueError(f"{type(self).__name__}: {name}: expected a gradient, found none; run backward first")
        self.prepare()
        self.apply()

    def prepare(self) -> None:
        """What `step` does before it looks at gradients: count, and on a GPU bring there what changes by the step."""
        for name, parameter in self.parameters.items():
            self.taken[name] += bool(parameter.rate)
        self.lr = float(self.lr)  # a NumPy number would make float64 of float32
        if self._lies_flat():
            upload(np.array(self._rates(), np.float32), self._flat["rates"].whole)

    def apply(self) -> None:
        """What `step` does with the gradients; on a GPU, where it may be captured and replayed, all in one launch."""
        if self._lies_flat():
            self._flat["grad"].fill({name: one.grad for name, one in self.parameters.items() if one.grad is not None})
            self._move_flat(*(flat.whole for flat in self._flat.values()))
            return
        for name, parameter in self.parameters.items():
            if not parameter.rate:
                continue
            assert parameter.grad is not None
            parameter.value = _in_one_piece(parameter.value)
            for of_all in self.slots.values():
                of_all[name] = _in_one_piece(of_all[name])
            arrays = [parameter.value, parameter.grad, *(of_all[name] for of_all in self.slots.values())]
            flat = [array.reshape(-1) for array in arrays]
            # A few numbers at a time: all of theirs stay in the cache from the first line of a formula to the last.
            step = CHUNK if array_module(parameter.value) is np else len(flat[0])
            for start in range(0, len(flat[0]), step):
                theta, g, *slots = (array[start : start + step] for array in flat)
                theta -= self._change(theta, g, self.lr * parameter.rate, self.taken[name], *slots)

    def _rates(self) -> tuple[float, ...]:
        """What changes from step to step, as `_move_flat` wants it; nothing where that cannot be used."""
        return ()

    def _move_flat(self, rates: Array, theta: Array, g: Array, *slots: Array) -> None:
        """`_change` for all parameters at once, and the subtraction, on a GPU."""
        raise NotImplementedError

    def _lies_flat(self) -> bool:
        """Whether all lies in one buffer, where it is on a GPU and there is a kernel for it; else bring it there."""
        values = {name: one.value for name, one in self.parameters.items()}
        first = next(iter(values.values()), None)
        if first is None or device_of(first) == "cpu" or first.dtype != np.float32 or not self._rates():
            return False
        if any(one.rate != 1 for one in self.parameters.values()):
            return False
        held = {"theta": values, **self.slots}
        if not all(name in self._flat and self._flat[name].holds(arrays) for name, arrays in held.items()):
            flat = {name: Flat(arrays) for name, arrays in held.items()}
            rates = Flat({"rates": array_module(first).zeros(len(self._rates()), np.float32)}, align=1)
            empty = {name: array_module(first).zeros_like(value) for name, value in values.items()}
            theta = flat.pop("theta")
            self._flat = {"rates": rates, "theta": theta, "grad": Flat(empty), **flat}
            for name, parameter in self.parameters.items():
                parameter.value = theta.views[name]
            self.slots = {slot: dict(one.views) for slot, one in flat.items()}
        return True

    @abstractmethod
    def _change(self, theta: Array, g: Array, lr: float, t: int, *slots: Array) -> Array:
        """What to subtract from some numbers θ, whose gradient is g, in their step t = 1, 2, …; moves their running
        averages on, in place.
        """


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay.

        g ← g + weight_decay · θ
        v ← momentum · v + g
        θ ← θ − lr · v                        or, with Nesterov's look ahead, θ ← θ − lr · (g + momentum · v)

    Source: Hou and Zhang, gradient descent; Sutskever et al., On the importance of initialization and momentum.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        *,
        lr: float,
        momentum: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(f"SGD: momentum: expected 0 <= momentum < 1, found {momentum}")
        if nesterov and momentum == 0:
            raise ValueError("SGD: nesterov: expected a momentum above 0, found 0")
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, slots=("velocity",) if momentum else ())
        self.momentum, self.nesterov = float(momentum), nesterov

    def _rates(self) -> tuple[float, ...]:
        return (self.lr,)

    def _move_flat(self, rates: Array, theta: Array, g: Array, *slots: Array) -> None:
        velocity = slots[0] if slots else None
        options = update.Sgd(self.momentum, self.weight_decay, self.nesterov)
        update.sgd(theta, g, velocity, rates, options)

    def _change(self, theta: Array, g: Array, lr: float, t: int, *slots: Array) -> Array:
        if self.weight_decay:
            g = g + self.weight_decay * theta
        if not self.momentum:
            return lr * g
        (v,) = slots
        v *= self.momentum
        v += g
        return lr * (g + self.momentum * v if self.nesterov else v)


class Adam(Optimizer):
    """Adam: each number's step is scaled by running averages of its gradient and of the gradient squared.

        g ← g + weight_decay · θ
        m ← β₁ · m + (1 − β₁) · g,      v ← β₂ · v + (1 − β₂) · g²
        θ ← θ − lr · m̂ / (√v̂ + ε)      with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ) in θ's step t = 1, 2, …

    Source: Kingma and Ba, Adam, algorithm 1.
    """

    def __init__(
        self,
        parameters: Mapping[str, Parameter],
        *,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        if not all(0 <= beta < 1 for beta in betas):
            raise ValueError(f"Adam: betas: expected 0 <= beta < 1, found {betas}")
        if not eps > 0:
            raise ValueError(f"Adam: eps: expected a number above 0, found {eps}")
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, slots=("mean", "square"))
        self.betas, self.eps = (float(betas[0]), float(betas[1])), float(eps)

    def _rates(self) -> tuple[float, ...]:
        if len(set(self.taken.values())) > 1:  # the kernel corrects all averages alike
            return ()
        return (self.lr, *(1 - beta ** max(self.steps, 1) for beta in self.betas))

    def _move_flat(self, rates: Array, theta: Array, g: Array, *slots: Array) -> None:
        mean, square = slots
        update.adam(theta, g, mean, square, rates, update.Adam(*self.betas, self.eps, self.weight_decay))

    def _change(self, theta: Array, g: Array, lr: float, t: int, *slots: Array) -> Array:
        m, v = slots
        if self.weight_decay:
            g = g + self.weight_decay * theta
        beta_1, beta_2 = self.betas
        m *= beta_1
        m += (1 - beta_1) * g
        v *= beta_2
        v += (1 - beta_2) * g * g
        m_hat, v_hat = m / (1 - beta_1**t), v / (1 - beta_2**t)
        return lr * m_hat / (array_module(g).sqrt(v_hat) + self.eps)


Schedule: TypeAlias = Callable[[int], float]
"""The learning rate for an iteration 0, 1, 2, …"""


def constant(lr: float) -> Schedule:
    """The same rate throughout."""
    return lambda iteration: lr


def step(lr: float, *, every: int, factor: float = 0.1) -> Schedule:
    """A rate of lr · factorᵏ after k·every iterations."""
    _at_least_one("step: every", every)
    return lambda iteration: float(lr * factor ** (iteration // every))


def cosine(lr: float, *, iterations: int) -> Schedule:
    """Half a cosine from lr down to 0: lr/2 · (1 + cos(π · t / iterations)).

    Source: Loshchilov and Hutter, SGDR, equation 5.
    """
    _at_least_one("cosine: iterations", iterations)
    return lambda iteration: lr / 2 * (1 + cos(pi * min(iteration / iterations, 1)))


def one_cycle(lr: float, *, iterations: int, warmup: float = 0.3, start: float = 0.04, end: float = 4e-6) -> Schedule:
    """Half a cosine from start·lr up to lr in the first `warmup` part, and one down to end·lr in the rest.

    Source: Smith and Topin, Super-Convergence.
    """
    _at_least_one("one_cycle: iterations", iterations)
    if not 0 <= warmup < 1:
        raise ValueError(f"one_cycle: warmup: expected 0 <= warmup < 1, found {warmup}")

    def rate(iteration: int) -> float:
        t = min(iteration / max(iterations - 1, 1), 1.0)
        begin, finish, part = (start, 1.0, t / warmup) if t < warmup else (1.0, end, (t - warmup) / (1 - warmup))
        return lr * (finish + (begin - finish) * (1 + cos(pi * part)) / 2)

    return rate


def _in_one_piece(array: Array) -> Array:
    """The array itself, if its numbers follow each other in memory, so that a flat view of it can be written to."""
    return array if array.flags.c_contiguous else array.copy(order="C")


def _at_least_one(argument: str, found: int) -> None:
    if found < 1:
        raise ValueError(f"{argument}: expected at least 1, found {found}")
