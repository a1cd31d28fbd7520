"""`config.json`: the initial configuration of a run, and the check that the run is resumed with the same one."""

import json
from contextlib import suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any, cast

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import normalisation_config
from tinydnn.errors import InputError
from tinydnn.kernels.cpu.threads import thread_count
from tinydnn.runs.files import CONFIG, FILES, versions
from tinydnn.runs.options import Options
from tinydnn.training.trainer import Trainer


def make_config(options: Options, dataset: Dataset, trainer: Trainer, implementations: list[str]) -> dict[str, Any]:
    """The configuration of a run that is about to start, ready for JSON."""
    return {
        "command": options.command,
        "options": asdict(options),
        "data": {
            "source": dataset.source,
            "content": dataset.content,
            "synthetic": dataset.synthetic,
            "slices": len(dataset),
            "patients": dataset.patient_count,
            "pids": dataset.pid_count,
            "class_names": dataset.class_names,
            "skipped": dataset.skipped,
        },
        "normalisation": normalisation_config(trainer.normalise),
        "iterations_per_epoch": trainer.iterations_per_epoch,
        "implementations": implementations,
        "threads": thread_count(),
        "versions": versions(),
    }


def read_config(folder: Path, kind: type[Options] = Options) -> dict[str, Any]:
    """Read the configuration of a run with options of a kind. Raises `InputError` if there is none or it is invalid."""
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text())
        command = config.get("command", Options.command)
        if command != kind.command:
            raise ValueError(f"a run of `tinydnn {command}`, not of `tinydnn {kind.command}`")
        missing = {field.name for field in fields(kind)} - config["options"].keys()
        if missing:
            raise ValueError(f"options: {', '.join(sorted(missing))} missing")
        kind(**config["options"])
        config["data"]["content"], config["threads"]
    except FileNotFoundError:
        raise InputError(f"{folder}: expected a run to resume, found no {CONFIG}") from None
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: expected the configuration of a run, found something else ({error})") from None
    return cast(dict[str, Any], config)


def require_replaceable(folder: Path, kind: type[Options]) -> None:
    """Raise `InputError` if the folder holds a run with results, or another file that a new run would replace.

    A run that ended before its first checkpoint has only a configuration, and nothing is lost with it.
    """
    found = [name for name in FILES if (folder / name).exists()]
    if not found:
        return
    if found == [CONFIG]:
        with suppress(InputError):
            read_config(folder, kind)
            return
    advice = "--resume it or --overwrite it" if CONFIG in found else "or --overwrite it"
    raise InputError(f"--out: {folder} holds a run already; choose another folder, {advice}")


def require_same_config(folder: Path, before: dict[str, Any], now: dict[str, Any]) -> None:
    """Raise `InputError` where options, data, normalisation or thread count differ: each would change the result."""
    for name, value in before["options"].items():
        if name != "data" and value != now["options"][name]:
            raise InputError(
                f"{folder}: expected {name} {value!r}, with which this run began, found {now['options'][name]!r}"
            )
    if before["data"]["content"] != now["data"]["content"]:
        raise InputError(f"{folder}: the data is not what this run began with; its contents have changed")
    if before["normalisation"] != now["normalisation"]:
        raise InputError(
            f"{folder}: expected the normalisation {before['normalisation']}, with which this run began, "
            f"found {now['normalisation']}; were other weights loaded?"
        )
    if before["threads"] != now["threads"]:
        raise InputError(
            f"{folder}: expected {before['threads']} threads, with which this run began, found {now['threads']}; "
            f"sums would differ in their last bits. Use --threads {before['threads']}"
        )
