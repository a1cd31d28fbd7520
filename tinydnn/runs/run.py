"""One training run and its folder."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from tinydnn import ops
from tinydnn.backend import device_errors, to_device, use_device
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint, save_model
from tinydnn.checkpoint.patients import hash_patients
from tinydnn.data.augment import parse_augmentation
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.split import shared_patients
from tinydnn.models import MODELS
from tinydnn.runs import files
from tinydnn.runs.config import make_config, read_config, require_same_config
from tinydnn.runs.evaluation import evaluation_report
from tinydnn.runs.options import Options
from tinydnn.runs.partition import partition
from tinydnn.runs.report import describe_run, plot_run
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.protocol import Protocol, Record
from tinydnn.training.trainer import Trainer


class Run:
    """A training run in a folder with config.json, history.csv, checkpoint.h5, model.h5, predictions.csv,
    metrics.json, report.html and two plots.

    The checkpoint is written after every epoch and by `save`; the model, the metrics, the plots and the report at the
    end. Each file is written atomically. metrics.json is the last: if it exists, the run is complete.

    `shared` is the number of test slices of patients who are in training too; None where the patients are unknown.
    """

    def __init__(self, folder: Path, options: Options, dataset: Dataset) -> None:
        self.folder, self.options, self.dataset = folder, options, dataset
        self.split = partition(options, dataset)
        patients = dataset.patients
        self.shared = shared_patients(patients, self.split.non_test, self.split.test) if dataset.patient_count else None
        with device_errors(options.device):
            use_device(options.device)
            self.trainer = self.make_trainer()

    def make_trainer(self) -> Trainer:
        """The trainer before its first iteration."""
        options, dataset = self.options, self.dataset
        model = MODELS[options.model](
            image_size=dataset.size,
            in_channels=dataset.images.shape[1],
            classes=len(dataset.class_names),
            seed=options.seed,
        )
        model.to(options.device)
        return Trainer(
            model,
            options.make_optimizer(model.parameters()),
            options.make_schedule(options.epochs * self.batches),
            dataset,
            Normalisation.fit(dataset, self.split.train, cast(Any, options.normalise)),
            self.protocol(),
        )

    @property
    def batches(self) -> int:
        """Iterations in an epoch. It is at least 1: the trainer refuses a batch larger than the training set."""
        return max(len(self.split.train) // self.options.batch_size, 1)

    def protocol(self) -> Protocol:
        """The training protocol of the options: without a validation set, the test set is evaluated every epoch."""
        options = self.options
        return Protocol(
            train=self.split.train,
            held_out=self.split.validation if options.validation else self.split.test,
            batch_size=options.batch_size,
            epochs=options.epochs,
            seed=options.seed,
            augment=parse_augmentation(options.augment),
            label_smoothing=options.label_smoothing,
            balance=options.balance,
            select_best=options.validation > 0,
            device=options.device,
            precision=options.precision,
        )

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Hook for slow computations before the first iteration; no-op by default."""

    def notes(self) -> list[str]:
        """Lines about the model to print before training."""
        return []

    @property
    def complete(self) -> bool:
        """Whether the run has finished."""
        return (self.folder / files.METRICS).exists()

    def start(self) -> None:
        """Begin in a folder without a run, or resume this run from its checkpoint.

        Raises `InputError` unless options, data, normalisation and thread count are those the run began with.
        """
        config = make_config(self.options, self.dataset, self.trainer, self.implementations())
        path = self.folder / files.CONFIG
        if path.exists():
            require_same_config(self.folder, read_config(self.folder, type(self.options)), config)
        else:
            files.write_json(path, config)
        files.remove_partial_files(self.folder)
        if (self.folder / files.CHECKPOINT).exists():
            load_checkpoint(self.folder / files.CHECKPOINT, self.trainer)

    def records(self) -> Iterator[Record]:
        """Train to the end and yield each record; write a checkpoint after every epoch."""
        return self.trainer.run(after_epoch=self.save)

    def save(self) -> None:
        """Write the checkpoint and the history. Diverged weights raise `InputError` and are not written."""
        self.trainer.require_finite_weights()
        save_checkpoint(self.folder / files.CHECKPOINT, self.trainer, self._saved_model())
        files.write_history(self.folder / files.HISTORY, self.trainer.records)

    def finish(self) -> dict[str, Any]:
        """Write the history, the model, the plots, the report and the metrics; return the metrics."""
        if self.trainer.protocol.select_best:
            self.trainer.restore_best_state()
        evaluation = self._evaluate()
        new_patients = self.options.split != "slice"
        metrics = evaluation_report(evaluation, self.dataset, self.split.test, new_patients=new_patients)
        metrics |= self.describe()
        files.write_predictions(self.folder / files.PREDICTIONS, evaluation, self.dataset, self.split.test)
        # Again, because a run that was killed between checkpoint and history is resumed without another epoch.
        files.write_history(self.folder / files.HISTORY, self.trainer.records)
        save_model(self.folder / files.MODEL, self._saved_model())
        plot_run(self.folder, self.options, self.dataset, self.split, self.trainer, metrics, self.shared_note())
        self._write_report(metrics)
        files.write_json(self.folder / files.METRICS, metrics)
        return metrics

    def _write_report(self, metrics: dict[str, Any]) -> None:
        from tinydnn.runs.html_report import write_report  # imports Jinja2

        try:
            write_report(self.folder, self.dataset, metrics=metrics, device=self.options.device)
        except Exception as error:  # a trained network must not be lost for its report
            warnings.warn(f"{self.folder / files.REPORT} could not be written: {error!r}", stacklevel=2)

    def describe(self) -> dict[str, Any]:
        """The contents of metrics.json beside the metrics."""
        return describe_run(self.options, self.dataset, self.split, self.trainer, self.shared)

    def implementations(self) -> list[str]:
        """The implementations that run in the model, each "operation: implementation" once."""
        image = self.trainer.normalise(np.zeros((1, *self.dataset.images.shape[1:]), np.uint8))
        with ops.trace() as calls, ops.precision(self.options.precision):
            self.trainer.model(to_device(image, self.options.device))
        return list(dict.fromkeys(f"{call.operation}: {call.implementation}" for call in calls))

    def shared_note(self) -> str:
        """A sentence on the test slices whose patients are in training too."""
        if self.shared is None:
            return "The patients of the test slices are unknown."
        return f"{self.shared} of {len(self.split.test)} test slices show a patient who is in training too."

    def _saved_model(self) -> SavedModel:
        trainer, options = self.trainer, self.options
        return SavedModel(
            trainer.model, trainer.normalise, self.dataset.class_names, options.cropping, options.views,
            training_patients=hash_patients(self.dataset.patients[self.split.non_test].tolist()),
        )  # fmt: skip

    def _evaluate(self) -> Evaluation:
        """Evaluate the trained model on the test slices, unless the last epoch has done so."""
        if self.trainer.protocol.select_best or self.options.views > 1:
            return self.trainer.evaluate(self.split.test, views=self.options.views)
        if self.trainer.last_evaluation is None:  # the run was resumed after its last epoch
            self.trainer.begin_epoch(self.options.epochs)
            self.trainer.validate()
        assert self.trainer.last_evaluation is not None
        return self.trainer.last_evaluation
