"""The training loop, which yields records and knows no screen."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import perf_counter
from typing import TypeAlias

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, to_device
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.preprocessing import AnyNormalisation
from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.optim import Optimizer, Schedule

EVALUATION_BATCH = 32


@dataclass(frozen=True)
class Step:
    """One iteration: loss and accuracy of its batch before the weights moved; epoch and iteration count from 1."""

    epoch: int
    iteration: int
    learning_rate: float
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Validation:
    """Loss and accuracy on the slices that are held out, after an epoch. Nothing is chosen by them."""

    epoch: int
    iteration: int
    loss: float
    accuracy: float


Record: TypeAlias = Step | Validation


@dataclass(frozen=True)
class View:
    """What an iteration works on: a chain, the pictures that it sees, and what brings them to its scale."""

    model: Sequential
    dataset: Dataset
    normalise: Callable[[Array], Array]


@dataclass(frozen=True)
class Evaluation:
    """What a model makes of slices whose labels are known."""

    loss: float
    labels: Array  # (N,)
    probabilities: Array  # (N, K)

    @property
    def predictions(self) -> Array:
        """The most probable class of each slice, (N,)."""
        return self.probabilities.argmax(axis=1)

    @property
    def accuracy(self) -> float:
        """The share of slices whose most probable class is the right one."""
        return float((self.predictions == self.labels).mean())


class Trainer:
    """Trains a model on some slices of a dataset and watches the others.

    Everything that the next iteration depends on is here: model, optimiser, `iteration` (how many are done) and the
    records so far. With those restored, `run()` goes on exactly as it would have gone on without a break.

    The optimiser comes with the learning rate at the top of the schedule, which then sets it for every step.
    """

    def __init__(
        self,
        model: Sequential,
        optimizer: Optimizer,
        schedule: Schedule,
        dataset: Dataset,
        normalise: AnyNormalisation,
        *,
        train: Array,
        test: Array,
        batch_size: int,
        epochs: int,
        seed: int,
        device: str = "cpu",
    ) -> None:
        if batch_size > len(train):
            raise InputError(f"batch size: expected at most {len(train)}, the slices to train on, found {batch_size}")
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.dataset, self.normalise = dataset, normalise
        self.view = View(model, dataset, normalise)
        self.train, self.test = train, test
        self.batch_size, self.epochs, self.seed, self.device = batch_size, epochs, seed, device
        self.peak_rate = optimizer.lr
        self.iteration = 0
        self.records: list[Record] = []
        self.last_evaluation: Evaluation | None = None

    @property
    def iterations_per_epoch(self) -> int:
        """Full batches in the training part; what is left over waits for the next epoch's shuffle."""
        return len(self.train) // self.batch_size

    @property
    def iterations(self) -> int:
        """How many iterations the whole training has."""
        return self.epochs * self.iterations_per_epoch

    def run(self) -> Iterator[Record]:
        """Train to the end, from wherever it stands; yield a `Step` an iteration and a `Validation` an epoch.

        Raises `InputError` when a loss is not finite; the records up to then stand.
        """
        if self._validation_is_due():
            yield self._keep(self.validate())
        while self.iteration < self.iterations:
            epoch, done = divmod(self.iteration, self.iterations_per_epoch)
            self.begin_epoch(epoch + 1)
            batches = epoch_batches(self.train, self.batch_size, seed=self.seed, epoch=epoch)
            for indices in batches[done:]:
                yield self._keep(self.step(indices))
            yield self._keep(self.validate())

    def begin_epoch(self, epoch: int) -> None:
        """What is to be done before an epoch (the first is 1) or what is left of it: here nothing."""

    def step(self, indices: Array) -> Step:
        """One iteration on the slices of `indices`: forward, backward, update."""
        start = perf_counter()
        epoch = self.iteration // self.iterations_per_epoch + 1
        x, y = load_batch(self.view.dataset, indices, self.view.normalise, self.device)
        self.optimizer.lr = self.schedule(self.iteration)

        with np.errstate(all="ignore"):  # what overflows shows in the loss
            logits, backward = self.view.model(x, training=True)
            loss, loss_backward = ops.softmax_cross_entropy(logits, y)
            self._require_finite(float(loss), f"the loss of iteration {self.iteration + 1}")
            backward(loss_backward(), need_dx=False)
            self.optimizer.step()

        self.iteration += 1
        accuracy = float((logits.argmax(axis=1) == y).mean())
        return Step(epoch, self.iteration, self.optimizer.lr, float(loss), accuracy, perf_counter() - start)

    def validate(self) -> Validation:
        """Evaluate the model as it is on the slices that are held out."""
        view = self.view
        found = evaluate(view.model, view.dataset, self.test, view.normalise, device=self.device)
        self._require_finite(found.loss, f"the held-out loss after iteration {self.iteration}")
        self.last_evaluation = found
        epoch = self.iteration // self.iterations_per_epoch
        return Validation(epoch, self.iteration, found.loss, found.accuracy)

    def require_finite_weights(self) -> None:
        """Raise `InputError` if training has diverged, though no loss has shown it yet."""
        for name, array in self.model.state().items():
            self._require_finite(float(abs(array).max()), f"the largest {name} after iteration {self.iteration}")

    def _require_finite(self, value: float, what: str) -> None:
        if not np.isfinite(value):
            raise InputError(
                f"training diverged: {what} is {value}; start anew with a lower learning rate than "
                f"{self.peak_rate:g}, for example {self.peak_rate / 10:g}"
            )

    def _validation_is_due(self) -> bool:
        """Whether it was stopped between the last iteration of an epoch and the validation that follows."""
        stepped = bool(self.records) and isinstance(self.records[-1], Step)
        return stepped and self.iteration % self.iterations_per_epoch == 0

    def _keep(self, record: Record) -> Record:
        self.records.append(record)
        return record


def evaluate(
    model: Sequential, dataset: Dataset, indices: Array, normalise: Callable[[Array], Array], *, device: str = "cpu"
) -> Evaluation:
    """Send the slices of `indices` through the model in evaluation mode, a few at a time."""
    losses, probabilities, labels = [], [], []
    with np.errstate(all="ignore"):  # what overflows shows in the loss
        for start in range(0, len(indices), EVALUATION_BATCH):
            x, y = load_batch(dataset, indices[start : start + EVALUATION_BATCH], normalise, device)
            logits = model.predict(x)
            losses.append(float(ops.softmax_cross_entropy(logits, y)[0]) * len(y))
            probabilities.append(to_device(ops.softmax(logits), "cpu"))
            labels.append(to_device(y, "cpu"))
    return Evaluation(sum(losses) / len(indices), np.concatenate(labels), np.concatenate(probabilities))


def load_batch(
    dataset: Dataset, indices: Array, normalise: Callable[[Array], Array], device: str
) -> tuple[Array, Array]:
    """Normalised pictures (B, C, H, W) float32 and their labels (B,) on the device."""
    x, y = normalise(dataset.read(indices)), dataset.labels[indices]
    return to_device(x, device), to_device(y, device)
