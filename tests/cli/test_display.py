"""The training display: a live line on a terminal, one line an epoch elsewhere."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tinydnn.cli import display
from tinydnn.training.protocol import Step, Validation

PROTOCOL = SimpleNamespace(epochs=10, batch_size=128)


@pytest.fixture
def shown(monkeypatch):
    """A function that displays two records and returns the text written to the console."""

    def show(terminal):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=80, highlight=False, color_system=None)
        monkeypatch.setattr(display, "console", console)
        step = Step(epoch=1, iteration=19, learning_rate=0.01, loss=1.25, accuracy=0.5, seconds=2.0)
        trainer = SimpleNamespace(iterations=190, iteration=0, protocol=PROTOCOL, records=[step])
        with display.TrainingDisplay(trainer) as live:
            live.show(step)
            live.bar.refresh()
            live.show(Validation(epoch=1, iteration=19, loss=1.0, accuracy=0.625))
        return console.file.getvalue()

    return show


def test_the_live_line_fits_eighty_columns(shown):
    line = next(line for line in shown(terminal=True).splitlines() if "19/190" in line)
    for text in ("epoch 1/10", "loss 1.2500", "accuracy 50.0%", "64 images/s", ":"):
        assert text in line
    assert "…" not in line


def test_without_a_terminal_one_line_an_epoch_is_written(shown):
    assert shown(terminal=False).splitlines() == [
        "epoch  1/10  iteration 19  training loss 1.2500, accuracy 50.0%  held-out loss 1.0000, accuracy 62.5%"
    ]


def test_a_progress_bar_is_silent_without_a_terminal(monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=False)
    monkeypatch.setattr(display, "console", console)
    with display.progress_bar("Preparing") as progress:
        progress(1, 2)
    assert console.file.getvalue() == ""


def test_lines_are_printed_without_markup_or_wrapping(monkeypatch):
    console = Console(file=io.StringIO(), width=20)
    monkeypatch.setattr(display, "console", console)
    display.say("[bold]a name[/bold] that is longer than the terminal is wide")
    assert console.file.getvalue() == "[bold]a name[/bold] that is longer than the terminal is wide\n"
