"""Whether a kernel is right, on shapes that kernels stumble over, before anybody asks whether it is fast.

Each case of `tinydnn.gradcheck.cases` that the kernel supports goes through the probes of `tinydnn.bench.probes` until
one of them finds a fault.
"""

from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

from tinydnn import ops
from tinydnn.bench.loading import describe, where
from tinydnn.bench.probes import PROBES
from tinydnn.bench.subject import Fault, Subject
from tinydnn.gradcheck.cases import CASES, Case

ENOUGH = 3  # findings; more say no more


@dataclass(frozen=True)
class Finding:
    """A fault: what it is in a few words, and a line with the case, what was expected and what was found."""

    what: str
    detail: str

    def __str__(self) -> str:
        return f"{self.what}: {self.detail}"


@dataclass(frozen=True)
class Outcome:
    """What a check found. `cases`: how many were tried. `first_call`: its seconds, with what had to be compiled."""

    operation: str
    implementation: str
    cases: int
    findings: tuple[Finding, ...]
    first_call: float
    forward_only: bool

    @property
    def passed(self) -> bool:
        """Whether nothing was found, on at least one case."""
        return not self.findings


def check(operation: str, implementation: str, device: str = "cpu") -> Outcome:
    """Put an implementation through every case that it supports, up to the third fault."""
    found = ops.operations()[operation].implementations[implementation]
    findings: dict[str, Finding] = {}
    tried, first_call = 0, 0.0
    for case in CASES:
        if case.operation != operation or len(findings) == ENOUGH:
            continue
        try:
            subject = Subject(case, found, device)
            if not subject.dtypes or not case.decides_alike(found.precision):
                continue
            tried += 1
            start = perf_counter()
            subject.run("float32")
            first_call = first_call or perf_counter() - start
            for probe in PROBES:
                probe(subject)
        except Fault as fault:
            findings.setdefault(fault.what, Finding(fault.what, f"{_told(case)}: {fault}"))
        except Exception as error:
            place = where(error, Path(found.function.__code__.co_filename))
            findings.setdefault("raises", Finding("raises", f"{_told(case)}: {describe(error)} ({place})"))
    if not tried:
        detail = f"expected a kernel that supports at least one of the {operation} cases, found none that it does"
        findings["supports nothing"] = Finding("supports nothing", detail)
    return Outcome(operation, implementation, tried, tuple(findings.values()), first_call, found.forward_only)


def _told(case: Case) -> str:
    shapes = ", ".join(
        f"{name} {'x'.join(map(str, shape))}" for name, shape in zip(case.names, case.shapes, strict=True) if shape
    )
    options = "".join(f", {name}={value}" for name, value in case.options.items())
    return f"{case.label} ({shapes}{options})"
