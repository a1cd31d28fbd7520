"""The protocol of a run: its data, its split and its options; and what ran, for how long."""

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tinydnn.models import REGION_NETWORKS
from tinydnn.runs.declarations import declarations
from tinydnn.runs.html_report.page import percent
from tinydnn.runs.html_report.results import Results
from tinydnn.runs.html_report.section import Section
from tinydnn.runs.options import options_kind
from tinydnn.words import count

PATHS = ("weights", "recipe")  # shown by name, without the folder on the machine of the run


def protocol(results: Results) -> Section:
    """What was trained and tested, on what, and how."""
    return Section("protocol", "Protocol", {"rows": protocol_rows(results), "options": changed_options(results)})


def machine(results: Results) -> Section:
    """The implementations that ran, the time that they took, and the versions."""
    return Section("machine", "What ran", {"rows": machine_rows(results)})


def protocol_rows(results: Results) -> dict[str, str]:
    """The protocol, by name."""
    config, metrics, options = results.config, results.metrics, results.options
    data, split = config["data"], metrics["protocol"]
    rows = {
        "Data": f"{data['source']}: {_slices(data['slices'], data['patients'])}",
        "Classes": ", ".join(results.class_names),
        "Split": _split(split),
        "Training set": _slices(split["train_slices"], split["train_patients"]),
        "Validation set": _validation(split, metrics["best_epoch"]),
        "Test set": _slices(split["test_slices"], split["test_patients"]),
        "Seed": str(split["seed"]),
        "Image": f"{options['size']} × {options['size']} pixels, crop: {options['crop']}",
        "Network": options["model"] + (f", pretrained, head: {options['head']}" if "head" in options else ""),
        "Tumour masks": _masks(options["model"], used_at_test=metrics["mask_used_at_test"]),
        "Training": (
            f"{count(options['epochs'], 'epoch')} of {count(config['iterations_per_epoch'], 'iteration')}, "
            f"{options['batch_size']} slices each, with {options['optimizer']}"
        ),
        "Augmentation": options["augment"],
        "Views of a test slice": str(metrics["views"]),
    }
    if data["skipped"]:
        rows["Left out"] = f"{count(len(data['skipped']), 'file')} that could not be read"
    return rows


def changed_options(results: Results) -> list[tuple[str, str, str]]:
    """Each option that differs from its default: its flag, its value and what it means."""
    kind = options_kind(results.config["command"])
    declared, options = declarations(kind), results.options
    return [
        (f"--{declared[field.name].flag_of(field.name)}", _shown(field.name, value), declared[field.name].help)
        for field in fields(kind)
        if field.name != "data" and (value := options.get(field.name, field.default)) != field.default
    ]


def differing_options(runs: Sequence[Results]) -> list[dict[str, str]]:
    """For each run, the values of the options in which the runs differ, by flag."""
    found = []
    for results in runs:
        declared = declarations(options_kind(results.config["command"]))
        found.append({declared[name].flag_of(name): _shown(name, value) for name, value in results.options.items()})
    flags = [flag for flag in dict.fromkeys(flag for options in found for flag in options) if flag != "data"]
    differing = [flag for flag in flags if len({options.get(flag) for options in found}) > 1]
    return [{f"--{flag}": options[flag] for flag in differing if flag in options} for options in found]


def machine_rows(results: Results) -> dict[str, str]:
    """What ran, by name."""
    config, metrics, options = results.config, results.metrics, results.options
    rows = {
        "Command": f"tinydnn {config['command']}",
        "Device": f"{options['device']}, {options['precision']}, {count(config['threads'], 'thread')}",
        "Time of training": f"{duration(metrics['training_seconds'])} in {count(metrics['iterations'], 'iteration')}",
    }
    if metrics.get("feature_seconds"):
        rows["Features of the frozen layers"] = duration(metrics["feature_seconds"])
    rows["Implementations"] = "; ".join(config["implementations"])
    rows["Versions"] = ", ".join(f"{name} {version}" for name, version in metrics["versions"].items())
    return rows


def duration(seconds: float) -> str:
    """A duration in the unit that fits it."""
    if seconds < 100:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def _split(split: dict[str, Any]) -> str:
    if split["fold"]:
        return f"by {split['split']}, fold {split['fold']} of {split['folds']}"
    return f"by {split['split']}, {percent(split['test_fraction'])} to test"


def _masks(model: str, *, used_at_test: bool) -> str:
    training = "the network learns from them where to look" if model in REGION_NETWORKS else "not learned from"
    testing = "the slices are cropped by them, at test time too" if used_at_test else "not used in testing"
    return f"{training}; {testing}"


def _validation(split: dict[str, Any], best: dict[str, Any] | None) -> str:
    if best is None:
        return "none; the last epoch is tested"
    return f"{split['validation_slices']} slices, which selected epoch {best['epoch']}"


def _slices(slices: int, patients: int) -> str:
    return f"{count(slices, 'slice')} of {count(patients, 'patient')}" if patients else count(slices, "slice")


def _shown(name: str, value: object) -> str:
    if value is None:
        return "–"
    return Path(str(value)).name if name in PATHS else str(value)
