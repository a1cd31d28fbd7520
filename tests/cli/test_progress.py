"""The progress of long work: a live line on a terminal, plain lines elsewhere."""

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from tinydnn.cli import display, progress
from tinydnn.training.protocol import Step, Validation

STEP = Step(epoch=1, iteration=150, learning_rate=0.01, loss=1.25, accuracy=0.5, seconds=2.0)


@pytest.fixture
def console(monkeypatch):
    """A function that replaces the console by one of a width and returns it."""

    def replace(*, terminal, width=80):
        console = Console(file=io.StringIO(), force_terminal=terminal, width=width, highlight=False, color_system=None)
        monkeypatch.setattr(display, "console", console)
        return console

    return replace


def trainer(*, select_best=False):
    protocol = SimpleNamespace(epochs=10, batch_size=128, select_best=select_best)
    return SimpleNamespace(iterations=190, iteration=0, protocol=protocol, steps=[STEP])


def last_line(console, text):
    return next(line for line in reversed(console.file.getvalue().splitlines()) if text in line)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_the_live_line_fits_the_terminal(console, width):
    terminal = console(terminal=True, width=width)
    with progress.TrainingDisplay(trainer()) as live:
        live.show(STEP)
        live.bar.refresh()
    line = last_line(terminal, "150/190")
    for text in ("epoch 1/10", "-:--:--"):
        assert text in line
    assert ("loss 1.2500  accuracy 50.0%" in line) == (width >= 60)
    assert ("64 images/s" in line) == (width >= 80)
    assert "…" not in line


@pytest.mark.parametrize("width", [45, 60, 80])
def test_a_progress_bar_keeps_count_and_time_left_on_a_narrow_terminal(console, width):
    terminal = console(terminal=True, width=width)
    with progress.progress_bar("Preparing slices") as show:
        show(1200, 2451)
    line = last_line(terminal, "Preparing slices")
    assert "1200/2451" in line
    assert "-:--:--" in line


@pytest.mark.parametrize(("select_best", "held_out"), [(False, "test"), (True, "validation")])
def test_without_a_terminal_one_line_per_epoch_is_written(console, select_best, held_out):
    pipe = console(terminal=False)
    with progress.TrainingDisplay(trainer(select_best=select_best)) as live:
        live.show(STEP)
        live.show(Validation(epoch=1, iteration=150, loss=1.0, accuracy=0.625))
    assert pipe.file.getvalue().splitlines() == [
        f"epoch  1/10  iteration 150  training loss 1.2500, accuracy 50.0%  {held_out} loss 1.0000, accuracy 62.5%"
    ]


def test_without_a_terminal_progress_is_a_line_now_and_then_on_standard_error(console, monkeypatch, capsys):
    clock = iter([0.0, 1.0, 11.0, 11.0, 12.0, 22.0, 22.0, 23.0, 23.0])
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))
    pipe = console(terminal=False)
    with progress.progress_bar("Preparing slices") as show:
        for done in (100, 1100, 1200, 2200, 2451):
            show(done, 2451)
    assert pipe.file.getvalue() == ""
    lines = [f"Preparing slices: {done} of 2451\n" for done in (1100, 2200, 2451)]
    assert capsys.readouterr() == ("", "".join(lines))
