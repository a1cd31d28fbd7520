"""A training in a file: the model and all else that the next iteration depends on."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import h5py
import numpy as np

from tinydnn.backend import Array, to_device
from tinydnn.checkpoint.model import SavedModel, read_model, write_model
from tinydnn.checkpoint.sealed import open_sealed, write_sealed
from tinydnn.training.trainer import Record, Step, Trainer, Validation


def save_checkpoint(path: str | Path, trainer: Trainer, saved: SavedModel) -> None:
    """Write where the training stands, and the trainer's model as it is to be used, whole or not at all."""
    with write_sealed(path) as file:
        write_model(file, saved)
        training = file.create_group("training")
        training.attrs["iteration"] = trainer.iteration
        training.attrs["optimizer_steps"] = json.dumps(trainer.optimizer.step_counts)
        training.attrs["random_state"] = json.dumps(trainer.model.random_state())
        for slot, arrays in trainer.optimizer.state.items():
            for name, array in arrays.items():
                training[f"optimizer/{slot}/{name}"] = to_device(array, "cpu")
        for name, array in trainer.kept.items():
            training[f"kept/{name}"] = to_device(array, "cpu")
        for kind, name in ((Step, "steps"), (Validation, "validations")):
            rows = [tuple(asdict(record).values()) for record in trainer.records if isinstance(record, kind)]
            training[name] = np.array(rows, np.float64).reshape(len(rows), len(fields(kind)))


def load_checkpoint(path: str | Path, trainer: Trainer) -> None:
    """Put the trainer where `save_checkpoint` found it. Raises `InputError` for a file that does not fit it."""
    with open_sealed(path) as file:
        if "training" not in file:
            raise ValueError("a model without its training state")
        training = file["training"]
        iteration, records = int(training.attrs["iteration"]), _read_records(training)
        done = sum(isinstance(record, Step) for record in records)
        if done != iteration or iteration > trainer.iterations:
            raise ValueError(f"iteration {iteration} of {trainer.iterations}, with records of {done} iterations")
        slots = _read_slots(training, trainer)
        trainer.model.load_state(read_model(file).model.state())
        trainer.model.set_random_state(json.loads(training.attrs["random_state"]))
        trainer.kept = _read_kept(training, trainer)
        trainer.iteration, trainer.records = iteration, records
        trainer.optimizer.step_counts, trainer.optimizer.state = _read_steps(training, trainer), slots


def _read_steps(training: h5py.Group, trainer: Trainer) -> dict[str, int]:
    """How many steps each of the optimiser's parameters has taken."""
    found = json.loads(training.attrs["optimizer_steps"])
    return {name: int(found[name]) for name in trainer.optimizer.parameters}


def _read_slots(training: h5py.Group, trainer: Trainer) -> dict[str, dict[str, Array]]:
    """The optimiser's running averages, each of the shape and number type that the trainer's own has."""
    slots: dict[str, dict[str, Array]] = {}
    for slot, arrays in trainer.optimizer.state.items():
        slots[slot] = {}
        for name, own in arrays.items():
            where = f"optimizer/{slot}/{name}"
            if where not in training:
                raise ValueError(f"{where} is missing")
            found = training[where]
            if (found.shape, found.dtype) != (own.shape, own.dtype):
                raise ValueError(f"{found.name}: expected {own.dtype} {own.shape}, found {found.dtype} {found.shape}")
            slots[slot][name] = to_device(found[...], trainer.device)
    return slots


def _read_kept(training: h5py.Group, trainer: Trainer) -> dict[str, Array]:
    """The weights of the best epoch, if there are any."""
    if "kept" not in training:
        return {}
    return {name: to_device(training[f"kept/{name}"][...], trainer.device) for name in trainer.model.state()}


def _read_records(training: h5py.Group) -> list[Record]:
    steps = [Step(int(e), int(i), *rest) for e, i, *rest in training["steps"][...].tolist()]
    validations = [Validation(int(e), int(i), *rest) for e, i, *rest in training["validations"][...].tolist()]
    # Stable: a validation, which follows the last step of its epoch, stays behind it.
    return sorted([*steps, *validations], key=lambda record: record.iteration)
