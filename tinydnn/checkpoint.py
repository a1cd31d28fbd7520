"""Models and training state as HDF5 files that h5py, HDFView or MATLAB open.

    /layers/NN-kind            attributes: kind and the arguments the layer was made with
    /layers/NN-kind/weight     … and so on: one dataset for each parameter and buffer
    /training/…                only in checkpoints: optimiser, random generators, records so far
    attributes of the root     format, version, digest, and what a new image needs: size, normalisation, classes

A file is read as numbers and text alone: nothing in it is ever run. The digest covers every dataset and
attribute, so a file that was altered or cut short is told apart from a good one.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from tinydnn import layers
from tinydnn.atomic import write_whole
from tinydnn.backend import to_device
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.layers import Layer, Sequential
from tinydnn.training import Record, Step, Trainer, Validation

FORMAT, VERSION = "tinydnn-model", 1
LAYERS: dict[str, type[Layer]] = {
    kind.__name__: kind
    for kind in (
        layers.AvgPool2d,
        layers.BatchNorm2d,
        layers.Conv2d,
        layers.Dropout,
        layers.Flatten,
        layers.GlobalAvgPool2d,
        layers.Linear,
        layers.MaxPool2d,
        layers.ReLU,
        layers.Sigmoid,
    )
}


@dataclass(frozen=True)
class SavedModel:
    """A model together with what it needs to treat a new image as it treated the training images."""

    model: Sequential
    normalise: Normalisation
    class_names: tuple[str, ...]

    @property
    def size(self) -> int:
        """Pixels along each side of an input image."""
        assert self.model.input_shape is not None
        return self.model.input_shape[-1]


def save_model(path: str | Path, saved: SavedModel) -> None:
    """Write the model whole or not at all."""
    with write_whole(path) as temporary, h5py.File(temporary, "w") as file:
        _write_model(file, saved)
        _seal(file)


def load_model(path: str | Path) -> SavedModel:
    """Read a model that `save_model` or `save_checkpoint` wrote. Raises `InputError` for anything else."""
    with _opened(path) as file:
        return _read_model(file)


def save_checkpoint(path: str | Path, trainer: Trainer, class_names: tuple[str, ...]) -> None:
    """Write the model and all that the next iteration depends on, whole or not at all."""
    with write_whole(path) as temporary, h5py.File(temporary, "w") as file:
        _write_model(file, SavedModel(trainer.model, trainer.normalise, class_names))
        training = file.create_group("training")
        training.attrs["iteration"] = trainer.iteration
        training.attrs["optimizer_steps"] = trainer.optimizer.steps
        training.attrs["random_state"] = json.dumps(trainer.model.random_state())
        for slot, arrays in trainer.optimizer.slots.items():
            for name, array in arrays.items():
                training[f"optimizer/{slot}/{name}"] = to_device(array, "cpu")
        for kind, name in ((Step, "steps"), (Validation, "validations")):
            rows = [tuple(asdict(record).values()) for record in trainer.records if isinstance(record, kind)]
            training[name] = np.array(rows, np.float64).reshape(len(rows), -1)
        _seal(file)


def load_checkpoint(path: str | Path, trainer: Trainer) -> None:
    """Put the trainer where `save_checkpoint` found it. Raises `InputError` for a file that does not fit it."""
    with _opened(path) as file:
        if "training" not in file:
            raise InputError(f"{path}: expected a checkpoint, found a model without its training state")
        training = file["training"]
        trainer.model.load_state(_read_model(file).model.state())
        trainer.model.set_random_state(json.loads(training.attrs["random_state"]))
        trainer.iteration = int(training.attrs["iteration"])
        trainer.optimizer.steps = int(training.attrs["optimizer_steps"])
        for slot, arrays in trainer.optimizer.slots.items():
            for name in arrays:
                arrays[name] = to_device(training[f"optimizer/{slot}/{name}"][...], trainer.device)
        steps = [Step(int(e), int(i), *rest) for e, i, *rest in training["steps"][...].tolist()]
        validations = [Validation(int(e), int(i), *rest) for e, i, *rest in training["validations"][...].tolist()]
        records: list[Record] = [*steps, *validations]
        # Stable: a validation, which follows the last step of its epoch, stays behind it.
        trainer.records = sorted(records, key=lambda record: record.iteration)


def _write_model(file: h5py.File, saved: SavedModel) -> None:
    file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
    file.attrs["input_shape"] = saved.model.input_shape
    file.attrs["class_names"] = json.dumps(saved.class_names)
    file.attrs["normalisation"] = json.dumps(asdict(saved.normalise))
    for name, layer in saved.model.named_layers():
        group = file.create_group(f"layers/{name}")
        group.attrs["kind"] = type(layer).__name__
        group.attrs["arguments"] = json.dumps(layer.config())
        for key, array in layer.state().items():
            group[key] = to_device(array, "cpu")


def _read_model(file: h5py.File) -> SavedModel:
    chain = []
    for name in sorted(file["layers"], key=lambda name: int(name.split("-")[0])):
        group = file["layers"][name]
        layer = _make_layer(str(group.attrs["kind"]), json.loads(group.attrs["arguments"]))
        layer.load_state({key: group[key][...] for key in group})
        chain.append(layer)
    shape = tuple(int(size) for size in file.attrs["input_shape"])
    return SavedModel(
        model=Sequential(*chain, input_shape=shape),
        normalise=Normalisation(**json.loads(file.attrs["normalisation"])),
        class_names=tuple(json.loads(file.attrs["class_names"])),
    )


def _make_layer(kind: str, arguments: dict[str, Any]) -> Layer:
    if kind not in LAYERS:
        raise InputError(f"layer: expected one of {', '.join(LAYERS)}, found {kind}")
    # The numbers drawn here are overwritten by the file's; a dropout goes on from a checkpoint's random state.
    random = {"rng": np.random.default_rng(0)} if kind in ("Conv2d", "Linear", "Dropout") else {}
    return LAYERS[kind](**arguments, **random)


@contextmanager
def _opened(path: str | Path) -> Iterator[h5py.File]:
    """An open file that is whole, ours and not newer than we are; else `InputError`."""
    if not Path(path).is_file():
        raise InputError(f"{path}: expected a model file, found no such file")
    try:
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise InputError(f"{path}: expected a tinydnn model, found another HDF5 file")
            if file.attrs["version"] > VERSION:
                raise InputError(
                    f"{path}: expected a model of version {VERSION} or older, found {file.attrs['version']}; "
                    "a newer tinydnn reads it"
                )
            if file.attrs["digest"] != _digest(file):
                raise InputError(f"{path}: the contents do not match their digest: the file was altered or damaged")
            yield file
    except InputError:
        raise
    except (OSError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise InputError(f"{path}: expected a whole tinydnn model, found a damaged file or none ({error})") from error


def _seal(file: h5py.File) -> None:
    file.attrs["digest"] = _digest(file)


def _digest(file: h5py.File) -> str:
    """SHA-256 over the names, shapes, types and values of all datasets and attributes but the digest itself."""
    digest = sha256()

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        attributes = {key: np.asarray(item.attrs[key]).tolist() for key in sorted(item.attrs) if key != "digest"}
        digest.update(f"{name} {json.dumps(attributes, default=str)}\n".encode())
        if isinstance(item, h5py.Dataset):
            digest.update(f"{item.dtype} {item.shape}\n".encode())
            digest.update(np.ascontiguousarray(item[...]).tobytes())

    add("/", file)
    names: list[str] = []
    file.visit(names.append)
    for name in sorted(names):
        add(name, file[name])
    return digest.hexdigest()
