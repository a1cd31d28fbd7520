"""Output of the commands: live progress on a terminal, plain lines elsewhere."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tinydnn.data.dataset import Dataset
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.training.protocol import Record, Step
from tinydnn.training.trainer import Trainer

console = Console(highlight=False)


def say(text: str) -> None:
    """Print a line verbatim: without Rich markup or wrapping."""
    console.print(text, markup=False, soft_wrap=True)


def describe(dataset: Dataset) -> str:
    """The number of slices and patients, and whether the slices are synthetic."""
    patients = f" of {dataset.patient_count} patients" if dataset.patient_count else ", patients unknown"
    return f"{len(dataset)} {_slices(dataset.synthetic)}{patients}"


def say_skipped(dataset: Dataset) -> None:
    """Print a line for each broken file that was skipped."""
    for name, reason in dataset.skipped:
        say(f"Left out: {name}: {reason}")


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None]]:
    """Yield a function progress(done, total); its first call shows a progress bar, on a terminal only."""
    with Progress(
        TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=console, transient=True,
        disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task(title, total=None, visible=False)

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, visible=True)

        yield progress


@contextmanager
def download_bar() -> Iterator[Callable[[int, int], None]]:
    """Yield a function progress(done, total) in bytes; the bar shows the speed too, on a terminal only."""
    from rich.progress import DownloadColumn, TransferSpeedColumn

    with Progress(
        TextColumn("Downloading"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(),
        console=console, transient=True, disable=not console.is_terminal,
    ) as bar:  # fmt: skip
        task = bar.add_task("", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class TrainingDisplay:
    """On a terminal, a live line with iteration, loss, accuracy, speed and time left; one permanent line an epoch."""

    def __init__(self, trainer: Trainer) -> None:
        self.trainer = trainer
        self.bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"), BarColumn(), MofNCompleteColumn(),
            TextColumn("loss {task.fields[loss]}  accuracy {task.fields[accuracy]}  {task.fields[speed]}"),
            TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task(
            "training", total=trainer.iterations, completed=trainer.iteration, epoch=1, loss="-", accuracy="-", speed=""
        )

    def __enter__(self) -> Self:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def show(self, record: Record) -> None:
        """Display a record that the trainer has yielded."""
        if isinstance(record, Step):
            self.bar.update(
                self.task,
                completed=record.iteration,
                epoch=f"{record.epoch}/{self.trainer.protocol.epochs}",
                loss=f"{record.loss:.4f}",
                accuracy=f"{record.accuracy:.1%}",
                speed=f"{self.trainer.protocol.batch_size / record.seconds:.0f} images/s",
            )
            return
        steps = [step for step in self.trainer.records if isinstance(step, Step) and step.epoch == record.epoch]
        loss = sum(step.loss for step in steps) / len(steps)
        accuracy = sum(step.accuracy for step in steps) / len(steps)
        say(
            f"epoch {record.epoch:>2}/{self.trainer.protocol.epochs}  iteration {record.iteration}  "
            f"training loss {loss:.4f}, accuracy {accuracy:.1%}  "
            f"held-out loss {record.loss:.4f}, accuracy {record.accuracy:.1%}"
        )
        sys.stdout.flush()


def print_metrics(metrics: dict[str, Any]) -> None:
    """Print the metrics of an evaluation as a table."""
    table = Table(box=None, pad_edge=False)
    for column in ("class", "precision", "recall", "F1", "slices"):
        table.add_column(column, justify="left" if column == "class" else "right")
    rows = {**metrics["per_class"], "macro average": {**metrics["macro"], "support": metrics["slices"]}}
    for name, row in rows.items():
        shares = [_percent(row[key]) for key in ("precision", "recall", "f1")]
        table.add_row(name, *shares, str(row["support"]))
    console.print(table)
    slices = f"{metrics['slices']} {_slices(metrics['synthetic'])}"
    patients = f" of {metrics['patients']} patients" if metrics["patients"] else ""
    over = " over patients" if metrics["interval_over"] == "patients" else ""
    say(
        f"accuracy {metrics['accuracy']:.2%} on {slices}{patients} ({_interval(metrics['accuracy_interval_95'])}{over})"
    )
    if votes := metrics["per_patient"]:
        say(
            f"patients classified correctly by a vote of their slices: {votes['mean_vote']:.1%} by mean probability "
            f"({_interval(votes['mean_vote_interval_95'])}), {votes['majority_vote']:.1%} by majority"
        )
    if metrics["loss"] is not None:
        say(f"loss {metrics['loss']:.4f}")
    if metrics["mask_used_at_test"]:
        say(MASK_NOTE)


def _slices(synthetic: bool) -> str:
    return "synthetic slices" if synthetic else "slices"


def _interval(bounds: list[float]) -> str:
    return f"95 % interval {bounds[0]:.1%} to {bounds[1]:.1%}"


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
