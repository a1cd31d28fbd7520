"""The page: sections rendered into one file that needs nothing else."""

from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from tinydnn.runs.html_report.section import Section
from tinydnn.words import NOT_MEDICAL
from tinydnn.words import count as counted

NARROW = "\N{NARROW NO-BREAK SPACE}"


def render(title: str, subtitle: str, sections: Sequence[Section]) -> str:
    """The page of these sections, as HTML. All text is escaped: names of files, patients and classes are not ours."""
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title, subtitle=subtitle, sections=sections, notice=NOT_MEDICAL, figures=count(1), tables=count(1)
        )
    )


def percent(share: float | None) -> str:
    """A share with one decimal; a dash where it is undefined."""
    return "–" if share is None or share != share else f"{100 * share:.1f}{NARROW}%"


def percent_interval(bounds: Sequence[float] | None) -> str:
    """An interval of shares."""
    return "–" if bounds is None else f"{percent(bounds[0])} to {percent(bounds[1])}"


def points(difference: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def decimals(value: float | None, digits: int = 3) -> str:
    """A number with a fixed number of decimals; a dash where it is undefined."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"


def decimal_interval(bounds: Sequence[float] | None, digits: int = 3) -> str:
    """An interval of numbers."""
    return "–" if bounds is None else f"{decimals(bounds[0], digits)} to {decimals(bounds[1], digits)}"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("tinydnn.runs.html_report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {
        "percent": percent, "percent_interval": percent_interval, "points": points,
        "next_number": next, "decimals": decimals, "decimal_interval": decimal_interval, "counted": counted,
    }  # fmt: skip
    environment.filters.update(filters)
    return environment
