"""A finished run, opened again: its model, its dataset and its split."""

import json
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tinydnn.checkpoint import SavedModel
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.runs.config import read_config
from tinydnn.runs.files import CONFIG, METRICS, MODEL
from tinydnn.runs.options import Options, options_kind
from tinydnn.runs.partition import Partition, partition


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """The folder of a finished run, the options that it ran with, its model, and the dataset with its split."""

    folder: Path
    options: Options
    saved: SavedModel
    dataset: Dataset
    split: Partition


def finished_options(folder: Path) -> Options:
    """The options of the finished run in a folder. Raises `InputError` if the folder holds none."""
    for name in (CONFIG, MODEL, METRICS):
        if not (folder / name).is_file():
            raise InputError(f"{folder}: expected the folder of a finished run, found no {name} there")
    kind = _kind(folder / CONFIG)
    return kind(**read_config(folder, kind)["options"])


def open_finished(folder: Path, options: Options, saved: SavedModel, dataset: Dataset) -> FinishedRun:
    """The run of `finished_options`, with its model and the dataset of its options.

    Raises `InputError` if the dataset is not the one that the run was trained with, whose split would be another.
    """
    if read_config(folder, type(options))["data"]["content"] != dataset.content:
        raise InputError(f"{folder}: the data is not what this run was trained with; its contents have changed")
    return FinishedRun(folder, options, saved, dataset, partition(options, dataset))


def _kind(config: Path) -> type[Options]:
    with suppress(ValueError, AttributeError):  # `read_config` says what is wrong
        return options_kind(json.loads(config.read_text()).get("command"))
    return Options
