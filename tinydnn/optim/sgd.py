"""Stochastic gradient descent."""

from collections.abc import Mapping
from typing import Any

from tinydnn.backend import Array
from tinydnn.layers import Parameter
from tinydnn.optim.optimizer import Optimizer


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and weight decay.

        g ← g + weight_decay · θ
        v ← momentum · v + g
        θ ← θ − lr · v                        or, with Nesterov momentum, θ ← θ − lr · (g + momentum · v)

    The state of each parameter is its velocity v. Without momentum there is none, and θ ← θ − lr · g.

    Source: Hou and Zhang, gradient descent, where lr is called α; momentum: Polyak, Some methods of speeding up the
    convergence of iteration methods (1964), and Sutskever et al., On the importance of initialization and momentum in
    deep learning (2013).
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
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, state=("velocity",) if momentum else ())
        self.momentum, self.nesterov = float(momentum), nesterov

    @staticmethod
    def update(
        theta: Array, g: Array, v: Array | None = None, *,
        lr: float, momentum: float, nesterov: bool, weight_decay: float,
    ) -> None:  # fmt: skip
        """The formulas of the class, in place."""
        if weight_decay:
            g = g + weight_decay * theta
        if v is not None:
            v *= momentum
            v += g
            g = g + momentum * v if nesterov else v
        theta -= lr * g

    def constants(self) -> dict[str, Any]:
        """Momentum, Nesterov or not, and weight decay."""
        return {"momentum": self.momentum, "nesterov": self.nesterov, "weight_decay": self.weight_decay}

    def scalars(self, lr: float, t: int) -> dict[str, float]:
        """The learning rate."""
        return {"lr": lr}
