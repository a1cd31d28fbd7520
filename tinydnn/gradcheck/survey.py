"""Check every implementation of every operation, and every layer and model, on all of their cases."""

from collections.abc import Callable, Iterable, Iterator
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
    for name in chosen:
        yield from _operation_rows(name) if name in ops.operations() else _layer_rows(name)


def _operation_rows(name: str) -> Iterator[Row]:
    for implementation in ops.operations()[name].implementations:
        cases = [case for case in CASES if case.operation == name and implementation in case.implementations()]
        for dtype, check in (("float64", _against_differences), ("float32", _against_reference)):
            reports = (_attempt(case, implementation, dtype, check) for case in cases)
            if cases:
                yield Row(name, implementation, dtype, tuple(reports))


def _layer_rows(name: str) -> Iterator[Row]:
    for case in LAYER_CASES:
        if case.name == name:
            report = gradcheck_layer(case.make(), case.x(), training=case.training, name=str(case))
            yield Row(str(case), report.implementation, report.dtype, (report,))


def _against_differences(case: Case, implementation: str) -> Report:
    return gradcheck(case.function(implementation), *case.arrays(), name=str(case), names=case.names)


def _against_reference(case: Case, implementation: str) -> Report:
    function, reference = case.function(implementation), case.function("reference")
    return compare(function, reference, *case.arrays(), name=str(case), names=case.names)


def _attempt(case: Case, implementation: str, dtype: str, check: Callable[[Case, str], Report]) -> Report:
    """The report of the check. An exception, whatever the implementation raises, becomes a failed report."""
    try:
        return check(case, implementation)
    except Exception as error:
        failed = Check("value", Verdict.RAISES, float("inf"), f"{type(error).__name__}: {error}")
        return Report(str(case), implementation, dtype, (failed,))
