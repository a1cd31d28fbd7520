"""The update rule of an optimizer, and its implementations by device."""

from collections.abc import Callable
from typing import TypeAlias

Rule: TypeAlias = Callable[..., None]


class Update:
    """An update rule `rule(theta, g, *state, …)`, which moves θ and the optimizer's state in place.

    The decorated function is the reference: array code that runs on any device, for any slice of the numbers. An
    implementation for a device registers as kernels do, with `@rule.implementation("cuda")`. It moves a whole flat
    buffer at once and reads what changes from step to step from an array on its device, so that a captured step can be
    replayed.
    """

    def __init__(self, reference: Rule) -> None:
        self.reference = reference
        self.implementations: dict[str, Rule] = {}
        self.__doc__ = reference.__doc__

    def implementation(self, device: str) -> Callable[[Rule], Rule]:
        """Register the decorated function for a device, "cpu" or "cuda"."""

        def register(rule: Rule) -> Rule:
            self.implementations[device] = rule
            return rule

        return register
