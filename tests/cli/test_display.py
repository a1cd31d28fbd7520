"""Printed lines."""

import io

from rich.console import Console

from tinydnn.cli import display


def test_the_console_is_not_live_in_a_notebook(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as on a terminal; Jupyter sets it too
    monkeypatch.delenv("JPY_PARENT_PID", raising=False)
    assert display.make_console().is_terminal
    monkeypatch.setenv("JPY_PARENT_PID", "1")
    assert not display.make_console().is_terminal


def test_lines_are_printed_without_markup_or_wrapping(monkeypatch):
    console = Console(file=io.StringIO(), width=20)
    monkeypatch.setattr(display, "console", console)
    display.say("[bold]a name[/bold] that is longer than the terminal is wide")
    assert console.file.getvalue() == "[bold]a name[/bold] that is longer than the terminal is wide\n"
