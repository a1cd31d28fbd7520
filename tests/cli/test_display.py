"""Printed lines."""

import io

from rich.console import Console

from tinydnn.cli import display


def test_lines_are_printed_without_markup_or_wrapping(monkeypatch):
    console = Console(file=io.StringIO(), width=20)
    monkeypatch.setattr(display, "console", console)
    display.say("[bold]a name[/bold] that is longer than the terminal is wide")
    assert console.file.getvalue() == "[bold]a name[/bold] that is longer than the terminal is wide\n"


def test_a_noun_is_plural_unless_there_is_one():
    assert [display.count(number, "epoch") for number in (0, 1, 2)] == ["0 epochs", "1 epoch", "2 epochs"]
