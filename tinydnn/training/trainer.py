"""The training loop. It yields records and leaves their display to the caller."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from itertools import zip_longest
from time import perf_counter
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, device_errors, to_device, use_device
from tinydnn.data.augment import Draws
from tinydnn.data.batches import epoch_batches
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import AnyNormalisation, Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.optim import Optimizer, Schedule
from tinydnn.training.evaluation import Evaluation, evaluate
from tinydnn.training.gpu_feed import make_feed
from tinydnn.training.gpu_step import GpuStep
from tinydnn.training.loss import has_region_head, log_class_prior
from tinydnn.training.prefetch import prefetch
from tinydnn.training.protocol import Protocol, Record, Step, Validation
from tinydnn.training.step import training_step


@dataclass(frozen=True, eq=False)
class Segment:
    """The part of the model inside the loop and its input: images, or cached features of the layers before it."""

    model: Sequential
    dataset: Dataset
    normalise: Callable[[Array], Array]


class Trainer:
    """Trains a model by a protocol.

    The next iteration depends on model, optimizer, `iteration` (the number done), `records` and `best_state` (the
    weights of the best epoch) alone. With these restored, `run()` continues bit for bit.

    model: on `protocol.device` already. optimizer: its initial learning rate is the peak of the schedule, which sets
    it in every step.
    """

    def __init__(
        self,
        model: Sequential,
        optimizer: Optimizer,
        schedule: Schedule,
        dataset: Dataset,
        normalise: AnyNormalisation,
        protocol: Protocol,
    ) -> None:
        if protocol.batch_size > len(protocol.train):
            raise InputError(
                f"batch size: expected at most {len(protocol.train)}, the number of training slices, "
                f"found {protocol.batch_size}"
            )
        if has_region_head(model) and dataset.masks is None:
            raise InputError("model: expected slices with tumour masks, from which it learns, found none")
        self.model, self.optimizer, self.schedule = model, optimizer, schedule
        self.dataset, self.normalise, self.protocol = dataset, normalise, protocol
        self.segment = Segment(model, dataset, normalise)
        self.log_prior: Array | None = None
        if protocol.balance:
            log_prior = log_class_prior(dataset.labels[protocol.train], len(dataset.class_names))
            self.log_prior = to_device(log_prior, protocol.device)
        self.gpu_step = self._make_gpu_step()
        self.peak_lr = optimizer.lr
        self.iterations_per_epoch = len(protocol.train) // protocol.batch_size
        self.iterations = protocol.epochs * self.iterations_per_epoch
        self.iteration = 0
        self.records: list[Record] = []
        self.best_state: dict[str, Array] = {}
        self.last_evaluation: Evaluation | None = None

    @property
    def steps(self) -> list[Step]:
        """The records of all iterations so far."""
        return [record for record in self.records if isinstance(record, Step)]

    @property
    def validations(self) -> list[Validation]:
        """The records of all validations so far."""
        return [record for record in self.records if isinstance(record, Validation)]

    @property
    def best(self) -> Validation:
        """The validation with the lowest loss, which selects the epoch; the first of equal ones."""
        return min(self.validations, key=lambda validation: validation.loss)

    def run(self, after_epoch: Callable[[], None] = lambda: None) -> Iterator[Record]:
        """Train to the end from the current iteration; yield a `Step` per iteration and a `Validation` per epoch.

        after_epoch: called before each `Validation` is yielded, for example to write a checkpoint. Raises `InputError`
        if a loss is not finite.
        """
        if self._validation_is_due():
            self.begin_epoch(self.iteration // self.iterations_per_epoch)
            yield self._end_epoch(after_epoch)
        while self.iteration < self.iterations:
            epoch = self.iteration // self.iterations_per_epoch + 1
            self.begin_epoch(epoch)
            start = perf_counter()
            for batch in self._batches(epoch):  # (x, y, masks); on a GPU, (indices, upcoming indices)
                self.optimizer.lr = self.schedule(self.iteration)
                with self._computing():
                    if self.gpu_step is not None:
                        result = self.gpu_step(*batch)
                        self._check_loss(result.total_loss)
                    else:
                        result = training_step(
                            self.segment.model, self.optimizer.step, *batch,
                            label_smoothing=self.protocol.label_smoothing, log_prior=self.log_prior,
                            check=self._check_loss,
                        )  # fmt: skip
                    loss, accuracy = float(result.image_loss), float(result.accuracy)
                self.iteration += 1
                seconds = perf_counter() - start
                yield self._append(Step(epoch, self.iteration, self.optimizer.lr, loss, accuracy, seconds))
                start = perf_counter()
            yield self._end_epoch(after_epoch)

    def begin_epoch(self, epoch: int) -> None:
        """Hook: runs before an epoch, which counts from 1, or before the rest of it. No-op by default."""

    def _batches(self, epoch: int) -> Iterator[tuple[Any, ...]]:
        """The arguments of each remaining step of an epoch; the next batch is loaded during the current step."""
        protocol = self.protocol
        batches = epoch_batches(protocol.train, protocol.batch_size, seed=protocol.seed, epoch=epoch - 1)
        batches = batches[self.iteration % self.iterations_per_epoch :]
        if self.gpu_step is not None:
            return zip_longest(batches, batches[1:])  # the feed on the GPU loads them
        return prefetch(partial(self._load, epoch=epoch - 1), batches)

    def _load(self, indices: Array, epoch: int) -> tuple[Array, Array, Array | None]:
        """Images, labels and, for a region network, tumour masks of a training batch.

        The random draws of the augmentation depend on the seed, the epoch and each slice alone.
        """
        device, dataset = self.protocol.device, self.segment.dataset
        use_device(device)  # CuPy selects the device per thread
        x, y, masks = to_device(dataset.read(indices), device), to_device(self.dataset.labels[indices], device), None
        if has_region_head(self.model):
            masks = to_device(self.dataset.read_masks(indices), device)
        if self.protocol.augment:
            x, masks = self.protocol.augment(x, Draws(self.protocol.seed, epoch, indices, len(self.dataset)), masks)
        return self.segment.normalise(x), y, masks

    @contextmanager
    def _computing(self) -> Iterator[None]:
        """A context with the protocol's precision, GPU errors as `InputError`, and no overflow warnings."""
        device, precision = self.protocol.device, self.protocol.precision
        with np.errstate(all="ignore"), ops.precision(precision), device_errors(device):
            yield

    def validate(self) -> Validation:
        """Evaluate the current model on the held-out slices."""
        stream = nullcontext() if self.gpu_step is None else self.gpu_step.on_stream()
        with self._computing(), stream:
            evaluation = evaluate(
                self.segment.model,
                self.segment.dataset,
                self.protocol.held_out,
                self.segment.normalise,
                device=self.protocol.device,
                log_prior=self.log_prior,
                load=None if self.gpu_step is None else self.gpu_step.feed.load,
            )
        self._require_finite(evaluation.loss, f"the held-out loss after iteration {self.iteration}")
        self.last_evaluation = evaluation
        earlier = (validation.loss for validation in self.validations)
        if self.protocol.select_best and evaluation.loss < min(earlier, default=np.inf):
            self.best_state = {name: array.copy() for name, array in self.model.state().items()}
        epoch = self.iteration // self.iterations_per_epoch
        return Validation(epoch, self.iteration, evaluation.loss, evaluation.accuracy)

    def evaluate(self, indices: Array, *, views: int = 1) -> Evaluation:
        """Evaluate the current model on any slices, averaged over `views` views of each."""
        with self._computing():
            return evaluate(
                self.model,
                self.dataset,
                indices,
                self.normalise,
                device=self.protocol.device,
                views=views,
                log_prior=self.log_prior,
            )

    def restore_best_state(self) -> None:
        """Restore the weights of the epoch with the lowest held-out loss."""
        self.model.load_state(self.best_state)

    def _check_loss(self, total_loss: Array) -> None:
        self._require_finite(float(total_loss), f"the loss of iteration {self.iteration + 1}")

    def require_finite_weights(self) -> None:
        """Raise `InputError` if training has diverged, even if no loss has shown it yet."""
        for name, array in self.model.state().items():
            self._require_finite(float(abs(array).max()), f"the largest {name} after iteration {self.iteration}")

    def _require_finite(self, value: float, quantity: str) -> None:
        if not np.isfinite(value):
            raise InputError(
                f"training diverged: {quantity} is {value}; start anew with a lower learning rate than "
                f"{self.peak_lr:g}, for example {self.peak_lr / 10:g}"
            )

    def _validation_is_due(self) -> bool:
        """Whether training stopped between the last iteration of an epoch and its validation."""
        stepped = bool(self.records) and isinstance(self.records[-1], Step)
        return stepped and self.iteration % self.iterations_per_epoch == 0

    def _make_gpu_step(self) -> GpuStep | None:
        """The captured step if training on a GPU needs only images, labels and plain cross-entropy; else None."""
        protocol, normalise = self.protocol, self.normalise
        plain = "cuda" in self.optimizer.implementations  # else its learning rate would be captured as a constant
        plain &= not (protocol.augment or protocol.label_smoothing or protocol.balance or has_region_head(self.model))
        plain &= all(parameter.lr_scale == 1 for parameter in self.model.parameters().values())
        if protocol.device == "cpu" or not plain or not isinstance(normalise, Normalisation):
            return None
        with device_errors(protocol.device):
            feed = make_feed(self.dataset, normalise, protocol.batch_size, protocol.device)
            return GpuStep(self.model, self.optimizer, feed, precision=protocol.precision)

    def _end_epoch(self, after_epoch: Callable[[], None]) -> Record:
        record = self._append(self.validate())
        after_epoch()
        return record

    def _append(self, record: Record) -> Record:
        self.records.append(record)
        return record
