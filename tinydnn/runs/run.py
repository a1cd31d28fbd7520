"""One training run and its folder."""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np

from tinydnn import ops, plots
from tinydnn.backend import device_errors, to_device, use_device
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint, save_model
from tinydnn.data.augment.augmentation import parse
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.data.preprocessing import normalisation_config
from tinydnn.data.split.holdout import shared_patients
from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import thread_count
from tinydnn.models import MODELS
from tinydnn.runs import files
from tinydnn.runs.evaluation import MASK_NOTE, measure
from tinydnn.runs.options import Options
from tinydnn.runs.parts import parts
from tinydnn.training.evaluation import Evaluation
from tinydnn.training.trainer import Record, Step, Trainer, Validation


class Run:
    """A training run in a folder: config.json, history.csv, checkpoint.h5, model.h5, predictions.csv, metrics.json,
    and two pictures.

    The checkpoint is written after every epoch and when asked for; the model, the figures and the pictures at the
    end. Each file appears whole or not at all, metrics.json last: where it is, the run is complete.

    `shared` counts the test slices of patients who are in training too; None where the patients are unknown.
    """

    def __init__(self, folder: Path, options: Options, dataset: Dataset) -> None:
        self.folder, self.options, self.dataset = folder, options, dataset
        self.split = parts(options, dataset)
        learned = np.concatenate([self.split.train, self.split.validation])
        self.shared = shared_patients(dataset.patients, learned, self.split.test) if dataset.patient_count else None
        with device_errors(options.device):
            use_device(options.device)
            self.trainer = self.make_trainer()

    def make_trainer(self) -> Trainer:
        """The training as it stands before its first iteration."""
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
            **self.protocol(),
        )

    @property
    def batches(self) -> int:
        """Iterations in an epoch; where not one batch is full, the trainer says so."""
        return max(len(self.split.train) // self.options.batch_size, 1)

    def protocol(self) -> dict[str, Any]:
        """The arguments of a trainer that follow from split and options alone."""
        options = self.options
        return {
            "train": self.split.train,
            "watch": self.split.validation if options.validation else self.split.test,
            "batch_size": options.batch_size,
            "epochs": options.epochs,
            "seed": options.seed,
            "device": options.device,
            "augment": parse(options.augment),
            "label_smoothing": options.label_smoothing,
            "balance": options.balance,
            "select": options.validation > 0,
            "precision": options.precision,
        }

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """What is to be computed before the first iteration and takes a while: here nothing."""

    def notes(self) -> list[str]:
        """What there is to say of the model before it is trained, a line each."""
        return []

    @property
    def complete(self) -> bool:
        """Whether the run has come to its end."""
        return (self.folder / files.METRICS).exists()

    def start(self) -> None:
        """Begin in a folder that holds no run yet, or go on from the checkpoint of this very run.

        Raises `InputError` where the options, the data or the number of threads are not what the run began with: each
        would make it end otherwise.
        """
        config = self._config()
        path = self.folder / files.CONFIG
        if path.exists():
            before = files.read_config(self.folder, type(self.options))
            for name, then in before["options"].items():
                if name != "data" and then != config["options"][name]:
                    raise InputError(
                        f"{self.folder}: expected {name} {then!r}, with which this run began, found "
                        f"{config['options'][name]!r}"
                    )
            if before["data"]["content"] != config["data"]["content"]:
                raise InputError(f"{self.folder}: the data is not what this run began with; its contents have changed")
            if before["normalisation"] != config["normalisation"]:
                raise InputError(
                    f"{self.folder}: expected the normalisation {before['normalisation']}, with which this run began, "
                    f"found {config['normalisation']}; are the weights another file's?"
                )
            if before["threads"] != thread_count():
                raise InputError(
                    f"{self.folder}: expected {before['threads']} threads, with which this run began, found "
                    f"{thread_count()}; sums would differ in their last bits. Use --threads {before['threads']}"
                )
        else:
            files.write_json(path, config)
        files.remove_leftovers(self.folder)
        if (self.folder / files.CHECKPOINT).exists():
            load_checkpoint(self.folder / files.CHECKPOINT, self.trainer)

    def records(self) -> Iterator[Record]:
        """Train to the end and yield what happens; a checkpoint follows every epoch."""
        for record in self.trainer.run():
            if isinstance(record, Validation):
                self.save()
            yield record

    def save(self) -> None:
        """Write the checkpoint, and the history up to it. Diverged weights raise `InputError` and are not written."""
        self.trainer.require_finite_weights()
        save_checkpoint(self.folder / files.CHECKPOINT, self.trainer, self._saved())
        files.write_history(self.folder / files.HISTORY, self.trainer.records)

    def finish(self) -> dict[str, Any]:
        """Write the history, the model, the pictures and the figures; return the figures."""
        if self.trainer.select:
            self.trainer.take_best()
        found = self._judge()
        metrics = measure(found, self.dataset, self.split.test, by_patient=self.options.split != "slice")
        metrics |= self.described()
        files.write_predictions(self.folder / files.PREDICTIONS, found, self.dataset, self.split.test)
        # Again, because a run that was killed between checkpoint and history is resumed without another epoch.
        files.write_history(self.folder / files.HISTORY, self.trainer.records)
        save_model(self.folder / files.MODEL, self._saved())
        self._draw(metrics)
        files.write_json(self.folder / files.METRICS, metrics)
        return metrics

    def _saved(self) -> SavedModel:
        trainer, options = self.trainer, self.options
        return SavedModel(trainer.model, trainer.normalise, self.dataset.class_names, options.cropping, options.views)

    def _judge(self) -> Evaluation:
        """What the finished model makes of the test slices."""
        if not self.trainer.select and self.options.views == 1:
            if self.trainer.last_evaluation is None:  # the run was resumed after its last epoch
                self.trainer.begin_epoch(self.trainer.epochs)
                self.trainer.validate()
            assert self.trainer.last_evaluation is not None
            return self.trainer.last_evaluation
        return self.trainer.judge(self.split.test, views=self.options.views)

    def _draw(self, metrics: dict[str, Any]) -> None:
        steps = [record for record in self.trainer.records if isinstance(record, Step)]
        validations = [record for record in self.trainer.records if isinstance(record, Validation)]
        name = f"recipe {self.options.recipe}" if self.options.recipe else self.options.model
        title = f"{name}, {len(self.split.train)} slices to train, {len(self.split.test)} held out"
        note = f"Split by {self.options.split}. " + ("Synthetic phantoms. " if self.dataset.synthetic else "")
        if self.dataset.crop.uses_mask:
            note += f"{MASK_NOTE} "
        watched = "held-out slices" if not self.trainer.select else "test slices: the curve is of the validation part"
        plots.training_progress(
            self.folder / files.PROGRESS_PICTURE,
            iterations=[step.iteration for step in steps],
            loss=[step.loss for step in steps],
            accuracy=[step.accuracy for step in steps],
            validation_iterations=[one.iteration for one in validations],
            validation_loss=[one.loss for one in validations],
            validation_accuracy=[one.accuracy for one in validations],
            iterations_per_epoch=self.trainer.iterations_per_epoch,
            title=title,
            note=f"{note}Nothing was chosen by the {watched}.",
        )
        plots.confusion_matrix(
            self.folder / files.CONFUSION_PICTURE,
            matrix=np.array(metrics["confusion_matrix"]),
            class_names=self.dataset.class_names,
            title=title,
            note=note + self.shared_note(),
            interval=metrics["accuracy_interval_95"],
        )

    def implementations(self) -> list[str]:
        """Which implementation of which operation runs in the model, "operation: implementation", each once."""
        picture = self.trainer.normalise(np.zeros((1, *self.dataset.images.shape[1:]), np.uint8))
        with ops.trace() as calls, ops.precision(self.options.precision):
            self.trainer.model(to_device(picture, self.options.device))
        return list(dict.fromkeys(f"{call.operation}: {call.implementation}" for call in calls))

    def shared_note(self) -> str:
        """How many test slices show a patient of the training part, in a sentence."""
        if self.shared is None:
            return "Which patients they show is unknown."
        return f"{self.shared} of {len(self.split.test)} test slices show a patient who is in training too."

    def described(self) -> dict[str, Any]:
        """What a reader must know beside the figures."""
        train_patients, test_patients = (
            len(set(self.dataset.patients[part].tolist()) - {""}) for part in (self.split.train, self.split.test)
        )
        seconds = sum(record.seconds for record in self.trainer.records if isinstance(record, Step))
        return {
            "protocol": {
                "split": self.options.split,
                "test_fraction": self.options.test_fraction,
                "fold": self.options.fold,
                "folds": self.options.folds if self.options.fold else None,
                "seed": self.options.seed,
                "train_slices": len(self.split.train),
                "validation_slices": len(self.split.validation),
                "test_slices": len(self.split.test),
                "train_patients": train_patients,
                "test_patients": test_patients,
                "test_slices_with_patient_in_training": self.shared,
                "share_with_patient_in_training": None if self.shared is None else self.shared / len(self.split.test),
            },
            "iterations": self.trainer.iteration,
            "training_seconds": round(seconds, 3),
            "versions": files.versions(),
        }

    def _config(self) -> dict[str, Any]:
        dataset = self.dataset
        return {
            "command": self.options.command,
            "options": asdict(self.options),
            "data": {
                "source": dataset.source,
                "content": dataset.content,
                "synthetic": dataset.synthetic,
                "slices": len(dataset),
                "patients": dataset.patient_count,
                "class_names": dataset.class_names,
                "skipped": dataset.skipped,
            },
            "normalisation": normalisation_config(self.trainer.normalise),
            "iterations_per_epoch": self.trainer.iterations_per_epoch,
            "implementations": self.implementations(),
            "threads": thread_count(),
            "versions": files.versions(),
        }
