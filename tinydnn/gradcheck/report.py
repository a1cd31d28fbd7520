"""What a gradient check found."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Self

from tinydnn.ops import Call


class Verdict(StrEnum):
    """The outcome of a check; everything but OK leaves the gradient unproven."""

    OK = "ok"
    KINK = "inconclusive: kink"
    BOTH_ZERO = "both zero"
    ZERO = "zero gradient"
    SIGN = "wrong sign"
    FACTOR = "constant factor"
    TRANSPOSED = "transposed"
    FLIPPED = "flipped"
    SHIFTED = "shifted"
    WRONG = "wrong"
    SHAPE = "wrong shape"
    DTYPE = "wrong dtype"
    PRECISION = "lower precision"
    NOT_LINEAR = "not linear"
    NOT_FINITE = "not finite"
    WROTE = "wrote to its inputs"
    NEED_DX = "need_dx ignored"
    RAISED = "raised an error"


class GradientError(AssertionError):
    """A gradient check failed; the message says where and why."""


@dataclass(frozen=True)
class Check:
    """The outcome for one argument (or for "value", "dz"): the worst relative error, the verdict and the reason."""

    argument: str
    verdict: Verdict
    error: float
    reason: str = ""


@dataclass(frozen=True)
class Report:
    """The outcome for one function: which one, which implementations ran in it, and one `Check` per argument."""

    name: str
    implementation: str
    dtype: str
    checks: tuple[Check, ...]

    @classmethod
    def of(
        cls, function: Callable[..., Any], name: str | None, calls: Iterable[Call], dtype: str, checks: Iterable[Check]
    ) -> Self:
        """The report on `function`, named after it where `name` is None, in which these operations ran."""
        inner = function.func if isinstance(function, partial) else function
        ran = dict.fromkeys(call.implementation for call in calls)
        name = name or str(getattr(inner, "__name__", "function"))
        return cls(name, ", ".join(ran) or "none", dtype, tuple(checks))

    @property
    def ok(self) -> bool:
        """Whether every argument's gradient is proven."""
        return all(check.verdict is Verdict.OK for check in self.checks)

    @property
    def worst(self) -> Check:
        """The check that speaks for all: the first that failed, else the one of the largest error."""
        failed = [check for check in self.checks if check.verdict is not Verdict.OK]
        return failed[0] if failed else max(self.checks, key=lambda check: check.error)

    def raise_if_failed(self) -> None:
        """Raise `GradientError` with this report as its message unless every gradient is proven."""
        if not self.ok:
            raise GradientError(str(self))

    def __str__(self) -> str:
        """The report for a person: a line for the function and one for each argument."""
        lines = [f"{self.name} ({self.implementation}, {self.dtype})"]
        for check in self.checks:
            reason = f": {check.reason}" if check.reason else ""
            lines.append(f"  {check.argument}: {check.verdict} (relative error {check.error:.1e}){reason}")
        return "\n".join(lines)
