"""A checkpoint: the model and the training state that the next iteration depends on."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import h5py
import numpy as np

from tinydnn.backend import Array, to_device
from tinydnn.checkpoint.model import SavedModel, read_model, write_model
from tinydnn.checkpoint.sealed import open_sealed, write_sealed
from tinydnn.training.protocol import Record, Step, Validation
from tinydnn.training.trainer import Trainer


def save_checkpoint(path: str | Path, trainer: Trainer, saved: SavedModel) -> None:
    """Write the training state, and `saved` with the trainer's model, atomically."""
    with write_sealed(path) as file:
        write_model(file, saved)
        training = file.create_group("training")
        training.attrs["iteration"] = trainer.iteration
        training.attrs["optimizer_steps"] = json.dumps(trainer.optimizer.step_counts)
        training.attrs["random_state"] = json.dumps(trainer.model.random_state())
        for key, arrays in trainer.optimizer.state.items():
            for name, array in arrays.items():
                training[f"optimizer/{key}/{name}"] = to_device(array, "cpu")
        for name, array in trainer.best_state.items():
            training[f"kept/{name}"] = to_device(array, "cpu")
        for kind, name in ((Step, "steps"), (Validation, "validations")):
            rows = [tuple(asdict(record).values()) for record in trainer.records if isinstance(record, kind)]
            training[name] = np.array(rows, np.float64).reshape(len(rows), len(fields(kind)))


def load_checkpoint(path: str | Path, trainer: Trainer) -> None:
    """Restore the state that `save_checkpoint` wrote. Raises `InputError` if the file does not fit the trainer."""
    with open_sealed(path) as file:
        if "training" not in file:
            raise ValueError("a model without training state")
        training = file["training"]
        iteration, records = int(training.attrs["iteration"]), _read_records(training)
        recorded = sum(isinstance(record, Step) for record in records)
        if recorded != iteration or iteration > trainer.iterations:
            raise ValueError(f"iteration {iteration} of {trainer.iterations}, with records of {recorded} iterations")
        state = _read_optimizer_state(training, trainer)
        trainer.model.load_state(read_model(file).model.state())
        trainer.model.set_random_state(json.loads(training.attrs["random_state"]))
        trainer.best_state = _read_best_state(training, trainer)
        trainer.iteration, trainer.records = iteration, records
        step_counts = json.loads(training.attrs["optimizer_steps"])
        trainer.optimizer.step_counts = {name: int(step_counts[name]) for name in trainer.optimizer.parameters}
        trainer.optimizer.state = state


def _read_optimizer_state(training: h5py.Group, trainer: Trainer) -> dict[str, dict[str, Array]]:
    """The arrays of the optimizer's state. Raises `ValueError` unless shapes and dtypes are those of the trainer's."""
    state: dict[str, dict[str, Array]] = {}
    for key, arrays in trainer.optimizer.state.items():
        state[key] = {}
        for name, array in arrays.items():
            path = f"optimizer/{key}/{name}"
            if path not in training:
                raise ValueError(f"{path} is missing")
            saved = training[path]
            if (saved.shape, saved.dtype) != (array.shape, array.dtype):
                raise ValueError(
                    f"{saved.name}: expected {array.dtype} {array.shape}, found {saved.dtype} {saved.shape}"
                )
            state[key][name] = to_device(saved[...], trainer.protocol.device)
    return state


def _read_best_state(training: h5py.Group, trainer: Trainer) -> dict[str, Array]:
    """The weights of the best epoch; empty if none has been selected."""
    if "kept" not in training:
        return {}
    return {name: to_device(training[f"kept/{name}"][...], trainer.protocol.device) for name in trainer.model.state()}


def _read_records(training: h5py.Group) -> list[Record]:
    steps = [Step(int(e), int(i), *rest) for e, i, *rest in training["steps"][...].tolist()]
    validations = [Validation(int(e), int(i), *rest) for e, i, *rest in training["validations"][...].tolist()]
    # The sort is stable: a validation stays after the last step of its epoch.
    return sorted([*steps, *validations], key=lambda record: record.iteration)
