"""The training loop, which yields records and knows no screen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import Any, TypeAlias

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, device_errors, to_device, use_device
from tinydnn.data.augment.augmentation import Augmentation
from tinydnn.data.augment.draws import Draws
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.preprocessing import AnyNormalisation
from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.optim import Optimizer, Schedule
from tinydnn.training import loss as objective
from tinydnn.training.evaluation import Evaluation, evaluate
from tinydnn.training.gpu_feed import make_feed
from tinydnn.training.gpu_step import GpuStep
from tinydnn.training.prefetch import prefetch

NO_AUGMENTATION = Augmentation()


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
    """Loss and accuracy on the slices that are watched, after an epoch."""

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


class Trainer:
    """Trains a model on some slices of a dataset and watches others.

    Everything that the next iteration depends on is here: model, optimiser, `iteration` (how many are done) and the
    records so far, and `kept`, the weights of the best epoch. With those restored, `run()` goes on exactly as it would
    have gone on without a break.

    With `select`, the watched slices choose: the epoch with the lowest loss on them, whose weights `take_best()` brings
    back. So they must be no test slices then. Without, nothing is chosen by them.

    With `balance` the network is trained for classes of equal frequency, whatever that of the slices is, see
    `tinydnn.training.loss`. Losses are then with the prior, those of the watched slices too; accuracies are of what the
    network says, without it.

    The optimiser comes with the learning rate at the top of the schedule, which then sets it for every step. On a GPU
    (`device`, where the model is already) a step runs as `GpuStep`, `precision` says how exact products must be there.
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
        watch: Array,
        batch_size: int,
        epochs: int,
        seed: int,
        device: str = "cpu",
        augment: Augmentation = NO_AUGMENTATION,
        label_smoothing: float = 0.0,
        balance: bool = False,
        select: bool = False,
        precision: str = "fp32",
    ) -> None:
        if batch_size > len(train):
            raise InputError(f"batch size: expected at most {len(train)}, the slices to train on, found {batch_size}")
        if objective.learns_regions(model) and dataset.masks is None:
            raise InputError("model: expected slices with the masks of their tumours, from which it learns, found none")
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.dataset, self.normalise = dataset, normalise
        self.view = View(model, dataset, normalise)
        self.train, self.watch = train, watch
        self.batch_size, self.epochs, self.seed, self.device = batch_size, epochs, seed, device
        self.augment, self.label_smoothing, self.select = augment, label_smoothing, select
        self.precision = precision
        self.log_prior: Array | None = None
        if balance:
            self.log_prior = to_device(objective.frequencies(dataset.labels[train], len(dataset.class_names)), device)
        self.gpu_step: GpuStep | None = None
        plain = not augment and not label_smoothing and not balance and not objective.learns_regions(model)
        plain &= all(one.lr_scale == 1 for one in model.parameters().values())
        if device != "cpu" and plain and isinstance(normalise, Normalisation):
            with device_errors(device):
                feed = make_feed(dataset, normalise, batch_size, device)
                self.gpu_step = GpuStep(model, optimizer, feed, precision=precision)
        self.peak_rate = optimizer.lr
        self.iteration = 0
        self.records: list[Record] = []
        self.kept: dict[str, Array] = {}
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
            self.begin_epoch(self.iteration // self.iterations_per_epoch)
            yield self._keep(self.validate())
        while self.iteration < self.iterations:
            epoch, done = divmod(self.iteration, self.iterations_per_epoch)
            self.begin_epoch(epoch + 1)
            batches = epoch_batches(self.train, self.batch_size, seed=self.seed, epoch=epoch)[done:]
            for step in self.steps(batches, epoch):
                yield self._keep(step)
            yield self._keep(self.validate())

    def begin_epoch(self, epoch: int) -> None:
        """What is to be done before an epoch (the first is 1) or what is left of it: here nothing."""

    def step(self, x: Array, y: Array, masks: Array | None, *, since: float) -> Step:
        """One iteration on pictures, labels and masks: forward, backward, update. Its time counts from `since`."""
        self.optimizer.lr = self.schedule(self.iteration)
        how: Any = {"label_smoothing": self.label_smoothing, "log_prior": self.log_prior}
        with self._computing():
            if masks is None:
                loss = objective.slice_loss(self.view.model, x, y, **how)
            else:
                loss = objective.region_loss(self.view.model, x, y, masks, **how)
            self._require_finite(float(loss.total), f"the loss of iteration {self.iteration + 1}")
            loss.backward()
            self.optimizer.step()
            accuracy = float((loss.logits.argmax(axis=1) == y).mean())
        return self._done(float(loss.of_slices), accuracy, since)

    def steps(self, batches: list[Array], epoch: int) -> Iterator[Step]:
        """An iteration on each of these batches of slices; the next batch is made ready meanwhile."""
        return self._computed(batches, epoch) if self.gpu_step is None else self._replayed(batches, self.gpu_step)

    def _computed(self, batches: list[Array], epoch: int) -> Iterator[Step]:
        start = perf_counter()
        for x, y, masks in prefetch(partial(self._load, epoch=epoch), batches):
            yield self.step(x, y, masks, since=start)
            start = perf_counter()

    def _replayed(self, batches: list[Array], gpu_step: GpuStep) -> Iterator[Step]:
        """On a GPU, where a step is captured once and then replayed."""
        for indices, then in zip_longest(batches, batches[1:]):
            start = perf_counter()
            self.optimizer.lr = self.schedule(self.iteration)
            with self._computing():
                loss, accuracy = gpu_step(indices, then=then)
            self._require_finite(loss, f"the loss of iteration {self.iteration + 1}")
            yield self._done(loss, accuracy, start)

    def _done(self, loss: float, accuracy: float, since: float) -> Step:
        """Count the iteration, and the record of it."""
        epoch = self.iteration // self.iterations_per_epoch + 1
        self.iteration += 1
        return Step(epoch, self.iteration, self.optimizer.lr, loss, accuracy, perf_counter() - since)

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """As exactly as was asked for; what overflows shows in the loss."""
        with np.errstate(all="ignore"), ops.precision(self.precision), device_errors(self.device):
            yield

    def validate(self) -> Validation:
        """Evaluate the model as it is on the slices that are watched."""
        view, gpu = self.view, self.gpu_step
        load = None if gpu is None else gpu.feed.load
        with self._computing(), nullcontext() if gpu is None else gpu.on_stream():
            found = evaluate(
                view.model, view.dataset, self.watch, view.normalise,
                device=self.device, log_prior=self.log_prior, load=load,
            )  # fmt: skip
        self._require_finite(found.loss, f"the held-out loss after iteration {self.iteration}")
        self.last_evaluation = found
        epoch = self.iteration // self.iterations_per_epoch
        before = [record.loss for record in self.records if isinstance(record, Validation)]
        if self.select and found.loss < min(before, default=np.inf):
            self.kept = {name: array.copy() for name, array in self.model.state().items()}
        return Validation(epoch, self.iteration, found.loss, found.accuracy)

    def judge(self, indices: Array, *, views: int = 1) -> Evaluation:
        """What the model makes of slices, from so many views of each."""
        with self._computing():
            return evaluate(
                self.model, self.dataset, indices, self.normalise,
                device=self.device, views=views, log_prior=self.log_prior,
            )  # fmt: skip

    def take_best(self) -> None:
        """Bring back the weights of the epoch that the watched slices chose."""
        self.model.load_state(self.kept)

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

    def _load(self, indices: Array, epoch: int) -> tuple[Array, Array, Array | None]:
        """A training batch: pictures, labels, and masks where they teach.

        What augmentation draws depends on the seed, the epoch and each slice alone.
        """
        use_device(self.device)  # it is chosen for each thread by itself
        seen, y, masks = self.view, self.dataset.labels[indices], None
        x = to_device(seen.dataset.read(indices), self.device)
        if objective.learns_regions(self.model):
            masks = to_device(self.dataset.read_masks(indices), self.device)
        if self.augment:
            x, masks = self.augment(x, Draws(self.seed, epoch, indices, len(self.dataset)), masks)
        return seen.normalise(x), to_device(y, self.device), masks

    def _keep(self, record: Record) -> Record:
        self.records.append(record)
        return record
