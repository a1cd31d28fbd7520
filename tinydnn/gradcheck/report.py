"""The outcome of a gradient check."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Self

from tinydnn.ops import Call


class Verdict(StrEnum):
    """The outcome of a check. Every verdict but OK leaves the gradient unproven."""

    OK = "ok"
    KINK = "inconclusive: kink"
    # How a gradient is wrong
    BOTH_ZERO = "both zero"
    ZERO = "zero gradient"
    SIGN = "wrong sign"
    FACTOR = "constant factor"
    TRANSPOSED = "transposed"
    FLIPPED = "flipped"
    SHIFTED = "shifted"
    WRONG = "wrong"
    # How a function violates the contract of an operation
    CONSTANT = "constant value"
    RETURN = "wrong return"
    NOT_AN_ARRAY = "not an array"
    SHAPE = "wrong shape"
    DTYPE = "wrong dtype"
    STRIDES = "wrong strides"
    PRECISION = "low precision"
    NOT_LINEAR = "not linear"
    NOT_FINITE = "not finite"
    UNWRITTEN = "unwritten elements"
    WRITES = "writes to its inputs"
    ALIASED = "shares memory"
    RANDOM = "not deterministic"
    OVERWRITTEN = "overwritten results"
    STATEFUL = "stateful backward"
    NEED_DX = "ignores need_dx"
    RAISES = "raises"


class GradientError(AssertionError):
    """A gradient check failed. The message is the report."""


@dataclass(frozen=True)
class Check:
    """The outcome for one argument (or for "value", "dz"): the largest relative error, the verdict and its reason."""

    argument: str
    verdict: Verdict
    error: float
    reason: str = ""


@dataclass(frozen=True, repr=False)
class Report:
    """The outcome for one function: its name, the implementations that ran, and one `Check` per argument."""

    name: str
    implementation: str
    dtype: str
    checks: tuple[Check, ...]

    @classmethod
    def of(
        cls, function: Callable[..., Any], name: str | None, calls: Iterable[Call], dtype: str, checks: Iterable[Check]
    ) -> Self:
        """The report on `function` (whose own name is the default), with the implementations of the traced `calls`."""
        inner = function.func if isinstance(function, partial) else function
        implementations = dict.fromkeys(call.implementation for call in calls)
        name = name or str(getattr(inner, "__name__", "function"))
        return cls(name, ", ".join(implementations) or "none", dtype, tuple(checks))

    @property
    def ok(self) -> bool:
        """Whether every gradient is proven."""
        return all(check.verdict is Verdict.OK for check in self.checks)

    @property
    def worst(self) -> Check:
        """The first check that failed, else the one with the largest error."""
        failed = [check for check in self.checks if check.verdict is not Verdict.OK]
        return failed[0] if failed else max(self.checks, key=lambda check: check.error)

    def raise_if_failed(self) -> None:
        """Raise `GradientError` with this report as its message unless every gradient is proven."""
        if not self.ok:
            raise GradientError(str(self))

    def __str__(self) -> str:
        """One line for the function and one for each argument."""
        lines = [f"{self.name} ({self.implementation}, {self.dtype})"]
        for check in self.checks:
            reason = f": {check.reason}" if check.reason else ""
            lines.append(f"  {check.argument}: {check.verdict} (relative error {check.error:.1e}){reason}")
        return "\n".join(lines)

    def __repr__(self) -> str:
        return str(self)
