"""Adam."""

from collections.abc import Mapping
from typing import Any

from tinydnn.backend import Array, array_module
from tinydnn.layers import Parameter
from tinydnn.optim.optimizer import Optimizer


class Adam(Optimizer):
    """Adam, which scales each element's step by running averages of its gradient and of the gradient squared.

        g ← g + weight_decay · θ
        m ← β₁ · m + (1 − β₁) · g,      v ← β₂ · v + (1 − β₂) · g²
        θ ← θ − lr · m̂ / (√v̂ + ε)      with m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ) in step t = 1, 2, …

    The state of each parameter is m, "mean", and v, "square".

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
        super().__init__(parameters, lr=lr, weight_decay=weight_decay, state=("mean", "square"))
        self.betas, self.eps = (float(betas[0]), float(betas[1])), float(eps)

    @staticmethod
    def update(
        theta: Array, g: Array, m: Array, v: Array, *, lr: float, correction_1: float, correction_2: float,
        beta_1: float, beta_2: float, eps: float, weight_decay: float,
    ) -> None:  # fmt: skip
        """The formulas of the class, in place. correction_1, correction_2: 1 − β₁ᵗ and 1 − β₂ᵗ."""
        if weight_decay:
            g = g + weight_decay * theta
        m *= beta_1
        m += (1 - beta_1) * g
        v *= beta_2
        v += (1 - beta_2) * g * g
        m_hat, v_hat = m / correction_1, v / correction_2
        theta -= lr * m_hat / (array_module(g).sqrt(v_hat) + eps)

    def constants(self) -> dict[str, Any]:
        """Both betas, epsilon and weight decay."""
        beta_1, beta_2 = self.betas
        return {"beta_1": beta_1, "beta_2": beta_2, "eps": self.eps, "weight_decay": self.weight_decay}

    def scalars(self, lr: float, t: int) -> dict[str, float]:
        """The learning rate and the bias corrections of step t."""
        correction_1, correction_2 = (1 - beta**t for beta in self.betas)
        return {"lr": lr, "correction_1": correction_1, "correction_2": correction_2}
