"""A section of a report: a template, and what it shows."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Section:
    """anchor: the name of its template and its address in the page. content: the variables of the template."""

    anchor: str
    title: str
    content: dict[str, Any] = field(default_factory=dict)
