"""Check every implementation of every operation, and every layer and model, on all of their cases."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tinydnn import ops
from tinydnn.errors import InputError
from tinydnn.gradcheck.cases import CASES, Case
from tinydnn.gradcheck.check import gradcheck
from tinydnn.gradcheck.compare import compare
from tinydnn.gradcheck.layer import gradcheck_layer
from tinydnn.gradcheck.layer_cases import LAYER_CASES
from tinydnn.gradcheck.report import Check, Report, Verdict


@dataclass(frozen=True)
class Row:
    """The reports on all cases of one operation, layer or model, with one implementation in one dtype."""

    subject: str
    implementation: str
    dtype: str
    reports: tuple[Report, ...]

    @property
    def failed(self) -> tuple[Report, ...]:
        """The reports with an unproven gradient."""
        return tuple(report for report in self.reports if not report.ok)

    @property
    def error(self) -> float:
        """The largest relative error in all reports."""
        return max(check.error for report in self.reports for check in report.checks)

    @property
    def verdict(self) -> Verdict:
        """OK, or the verdict of the first failure."""
        return self.failed[0].worst.verdict if self.failed else Verdict.OK


def subjects() -> list[str]:
    """The names that `survey` accepts: operations, layers and models."""
    return [*ops.operations(), *dict.fromkeys(case.name for case in LAYER_CASES)]


def survey(names: Iterable[str] = ()) -> Iterator[Row]:
    """Check the named subjects, all by default, and yield each row as soon as it is done.

    Operations: gradients in float64 against numeric derivatives; value and gradients in float32 against the reference
    in float64. Layers and models: gradients in float64, with the implementations that run by default. Raises
    `InputError` for an unknown name.
    """
    chosen = list(names) or subjects()
    for name in chosen:
        if name not in subjects():
            raise InputError(f"gradcheck: expected one of {', '.join(subjects())}; found {name!r}")
        if name in ops.operations() and not any(case.operation == name for case in CASES):
            raise InputError(f"gradcheck: {name}: expected cases in tinydnn.gradcheck.cases, found none")
    for name in chosen:
        yield from _operation_rows(name) if name in ops.operations() else _layer_rows(name)


def _operation_rows(name: str) -> Iterator[Row]:
    for implementation in ops.operations()[name].implementations:
        cases = [case for case in CASES if case.operation == name and implementation in case.implementations()]
        for dtype in ("float64", "float32") if cases else ():
            yield Row(name, implementation, dtype, tuple(_report(case, implementation, dtype) for case in cases))


def _report(case: Case, implementation: str, dtype: str) -> Report:
    """`gradcheck` in float64, `compare` with the reference in float32. Any exception becomes a failed report."""
    function, name = case.function(implementation), str(case)
    try:
        if dtype == "float64":
            return gradcheck(function, *case.arrays(), name=name, names=case.names)
        return compare(function, case.function("reference"), *case.arrays(), name=name, names=case.names)
    except Exception as error:
        check = Check("value", Verdict.RAISES, float("inf"), f"{type(error).__name__}: {error}")
        return Report(name, implementation, dtype, (check,))


def _layer_rows(name: str) -> Iterator[Row]:
    for case in LAYER_CASES:
        if case.name == name:
            report = gradcheck_layer(case.make(), case.x(), training=case.training, name=str(case))
            yield Row(str(case), report.implementation, report.dtype, (report,))
