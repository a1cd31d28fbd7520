"""The progress of long work: a live bar on a terminal; elsewhere a plain line now and then, on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Self

from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.table import Column

from tinydnn.cli import display
from tinydnn.training.protocol import Record, Step
from tinydnn.training.trainer import Trainer

SECONDS = 10.0  # between two plain lines
LONGEST_BAR = 40  # columns
STATUS_WIDTH, SPEED_WIDTH = 60, 80  # terminals at least this wide show loss and accuracy, and the speed too


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function progress(done, total) that shows the progress; its first call makes the bar appear."""
    with _progress(title, [MofNCompleteColumn(table_column=_rigid())], lambda done: f"{done}") as progress:
        yield progress


@contextmanager
def download_bar() -> Iterator[Callable[[int, int], None]]:
    """Yield a function progress(done, total) in bytes; the bar shows the speed too."""
    columns: list[ProgressColumn] = [DownloadColumn(table_column=_rigid()), TransferSpeedColumn(table_column=_rigid())]
    with _progress("Downloading", columns, lambda done: f"{done / 1e6:.0f} MB") as progress:
        yield progress


class TrainingDisplay:
    """On a terminal, a live line with iteration, loss, accuracy, speed and time left; one permanent line per epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.held_out = "validation" if trainer.protocol.select_best else "test"
        columns = [MofNCompleteColumn(table_column=_rigid()), TextColumn("{task.fields[status]}")]
        self.bar = _bar("epoch {task.fields[epoch]}", columns)
        self.task = self.bar.add_task(
            "training", total=trainer.iterations, completed=trainer.iteration, epoch=1, status=""
        )

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, record: Record) -> None:
        """Display a record that the trainer has yielded."""
        epochs = self.trainer.protocol.epochs
        if isinstance(record, Step):
            epoch = f"{record.epoch}/{epochs}"
            self.bar.update(self.task, completed=record.iteration, epoch=epoch, status=self._status(record))
            return
        steps = [step for step in self.trainer.steps if step.epoch == record.epoch]
        loss = sum(step.loss for step in steps) / len(steps)
        accuracy = sum(step.accuracy for step in steps) / len(steps)
        display.say(
            f"epoch {record.epoch:>2}/{epochs}  iteration {record.iteration}  "
            f"training loss {loss:.4f}, accuracy {accuracy:.1%}  "
            f"{self.held_out} loss {record.loss:.4f}, accuracy {record.accuracy:.1%}"
        )

    def _status(self, step: Step) -> str:
        """Loss, accuracy and speed, as far as the width of the terminal allows."""
        width = display.console.width
        status = f"loss {step.loss:.4f}  accuracy {step.accuracy:.1%}" if width >= STATUS_WIDTH else ""
        speed = f"  {self.trainer.protocol.batch_size / step.seconds:.0f} images/s" if width >= SPEED_WIDTH else ""
        return status + speed


@contextmanager
def _progress(
    title: str, columns: list[ProgressColumn], amount: Callable[[int], str]
) -> Iterator[Callable[[int, int], None]]:
    with _bar(title, columns) as bar:
        task = bar.add_task(title, total=None, visible=False)
        last, shown = monotonic(), False

        def progress(done: int, total: int) -> None:
            nonlocal last, shown
            bar.update(task, completed=done, total=total, visible=True)
            if bar.disable and (monotonic() - last >= SECONDS or (shown and done == total)):
                # Standard output may hold JSON.
                print(f"{title}: {amount(done)} of {amount(total)}", file=sys.stderr, flush=True)
                last, shown = monotonic(), True

        yield progress


def _bar(title: str, columns: list[ProgressColumn]) -> Progress:
    """A progress bar that shrinks on a narrow terminal and leaves count and time left whole."""
    bar = BarColumn(bar_width=None, table_column=Column(max_width=LONGEST_BAR))
    left = TimeRemainingColumn(table_column=_rigid())
    console = display.console
    return Progress(
        TextColumn(title), bar, *columns, left, console=console, transient=True, disable=not console.is_terminal
    )


def _rigid() -> Column:
    return Column(no_wrap=True)
