"""Learning-rate schedules: the learning rate as a function of the iteration."""

from collections.abc import Callable
from math import cos, pi
from typing import TypeAlias

Schedule: TypeAlias = Callable[[int], float]
"""The learning rate for an iteration 0, 1, 2, …"""


def constant(lr: float) -> Schedule:
    """The same learning rate throughout."""
    return lambda iteration: lr


def step(lr: float, *, every: int, factor: float = 0.1) -> Schedule:
    """The learning rate lr · factorᵏ after k·every iterations."""
    _at_least_one("step: every", every)
    return lambda iteration: float(lr * factor ** (iteration // every))


def cosine(lr: float, *, iterations: int) -> Schedule:
    """Half a cosine from lr down to 0 after the last iteration: lr/2 · (1 + cos(π · t / iterations)).

    Source: Loshchilov and Hutter, SGDR, equation 5.
    """
    _at_least_one("cosine: iterations", iterations)
    return lambda iteration: lr / 2 * (1 + cos(pi * min(iteration / iterations, 1)))


def one_cycle(lr: float, *, iterations: int, warmup: float = 0.3, start: float = 0.04, end: float = 4e-6) -> Schedule:
    """Half a cosine from start·lr up to lr over the first `warmup` share, then one down to end·lr over the rest.

    Source: Smith and Topin, Super-Convergence.
    """
    _at_least_one("one_cycle: iterations", iterations)
    if not 0 <= warmup < 1:
        raise ValueError(f"one_cycle: warmup: expected 0 <= warmup < 1, found {warmup}")

    def schedule(iteration: int) -> float:
        t = min(iteration / max(iterations - 1, 1), 1.0)
        begin, finish, part = (start, 1.0, t / warmup) if t < warmup else (1.0, end, (t - warmup) / (1 - warmup))
        return lr * (finish + (begin - finish) * (1 + cos(pi * part)) / 2)

    return schedule


def _at_least_one(argument: str, value: int) -> None:
    if value < 1:
        raise ValueError(f"{argument}: expected at least 1, found {value}")
