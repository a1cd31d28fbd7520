"""Check an implementation before it is timed: the contract of `tinydnn.gradcheck.implementation`, case by case."""

from dataclasses import dataclass
from math import inf
from pathlib import Path
from time import perf_counter

from tinydnn import ops
from tinydnn.bench.loading import describe, where
from tinydnn.gradcheck.cases import CASES, Case
from tinydnn.gradcheck.implementation import CONTRACT, DTYPES, Candidate, gradients_match_differences
from tinydnn.gradcheck.passes import ContractError
from tinydnn.gradcheck.report import Verdict

MOST_FINDINGS = 3


@dataclass(frozen=True)
class Finding:
    """A violation of the contract. kind: in a few words. detail: the case, what was expected and found."""

    kind: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(frozen=True)
class Outcome:
    """The outcome of a check. cases: how many were tried. first_call: its seconds, with compilation.

    unproven: in how many of the cases the time was up before numeric derivatives could prove the gradients.
    """

    operation: str
    implementation: str
    cases: int
    findings: tuple[Finding, ...]
    first_call: float
    forward_only: bool
    unproven: int = 0

    @property
    def passed(self) -> bool:
        """Whether at least one case was tried and none failed."""
        return not self.findings


def check(operation: str, implementation: str, device: str = "cpu", *, seconds: float = inf) -> Outcome:
    """Check an implementation on every case that it supports, until there are `MOST_FINDINGS` kinds of findings.

    seconds: when they are over, numeric derivatives, which take hundreds of calls in each case, prove no more
    gradients. The other clauses are tried on all cases: the comparison with the reference, for one.
    """
    tested = ops.operations()[operation].implementations[implementation]
    findings: dict[str, Finding] = {}
    tried, unproven, first_call, begin = 0, 0, 0.0, perf_counter()
    for case in CASES:
        if case.operation != operation or len(findings) == MOST_FINDINGS or not case.is_stable_in(tested.precision):
            continue
        try:
            dtypes = [dtype for dtype in DTYPES if implementation in case.implementations(device, dtype)]
            if not dtypes:
                continue
            tried += 1
            candidates = [Candidate(case, tested, dtype, device) for dtype in dtypes]
            start = perf_counter()
            candidates[-1].forward()
            first_call = first_call or perf_counter() - start
            for candidate in candidates:
                for clause in CONTRACT:
                    if clause is not gradients_match_differences or perf_counter() - begin < seconds:
                        clause(candidate)
                    elif candidate.dtype == "float64":
                        unproven += 1
        except ContractError as error:
            argument, kind = error.check.argument, str(error.check.verdict)
            if error.check.verdict is Verdict.WRONG:
                kind = "wrong value" if argument == "value" else f"wrong d{argument}"
            findings.setdefault(kind, Finding(kind, f"{_describe(case)}: {argument}: {error.check.reason}"))
        except Exception as error:
            place = where(error, Path(tested.function.__code__.co_filename))
            findings.setdefault("raises", Finding("raises", f"{_describe(case)}: {describe(error)} ({place})"))
    if not tried:
        detail = f"expected an implementation that supports at least one of the cases of {operation}, found none"
        findings["supports nothing"] = Finding("supports nothing", detail)
    return Outcome(
        operation, implementation, tried, tuple(findings.values()), first_call, tested.forward_only, unproven
    )


def _describe(case: Case) -> str:
    shapes = ", ".join(
        f"{name} {'x'.join(map(str, shape))}" for name, shape in zip(case.names, case.shapes, strict=True) if shape
    )
    options = "".join(f", {name}={value}" for name, value in case.options.items())
    return f"{case.label} ({shapes}{options})"
