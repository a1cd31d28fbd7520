"""The files of an explanation report: explanations.json and three plots."""

from pathlib import Path
from typing import Any

from tinydnn import plots
from tinydnn.errors import InputError
from tinydnn.models import REGION_NETWORKS
from tinydnn.runs import files
from tinydnn.runs.evaluation import MASK_NOTE
from tinydnn.words import LEARNED_FROM_MASKS, count

PLOTS = {
    "explanations.png": plots.explanation_scores,
    "explanations-faithfulness.png": plots.faithfulness,
    "explanations-sanity.png": plots.sanity,
}


def require_no_explanations(folder: Path, *, overwrite: bool) -> None:
    """Raise `InputError` unless explanations may be written to `folder`, a run's or any other."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"--out: expected a folder, found a file at {folder}")
    if any((folder / name).exists() for name in files.EXPLANATIONS) and not overwrite:
        raise InputError(f"--out: {folder} holds explanations already; choose another folder, or --overwrite them")


def write_explanations(folder: Path, report: dict[str, Any], *, overwrite: bool) -> None:
    """Write the report and its plots, each file atomically, replacing those of an earlier one.

    explanations.json is removed first and written last: if it exists, the files belong together. Raises `InputError`
    as `require_no_explanations` does, which is checked again while no other process writes to the folder.
    """
    with files.lock_folder(folder):
        require_no_explanations(folder, overwrite=overwrite)
        (folder / files.EXPLANATIONS_REPORT).unlink(missing_ok=True)
        title = describe(report)
        for name, plot in PLOTS.items():
            plots.save(plot(report=report, title=title, note=_notes(report)[name]), folder / name)
        files.write_json(folder / files.EXPLANATIONS_REPORT, report)


def describe(report: dict[str, Any]) -> str:
    """The network and the slices that are explained."""
    protocol = report["protocol"]
    kind = "synthetic slice" if report["data"]["synthetic"] else "slice"
    patients = f" of {count(protocol['patients'], 'patient')}" if protocol["patients"] else ""
    return (
        f"{report['recipe'] or report['model']}, {count(protocol['slices'], f'test {kind}')}{patients}, split by "
        f"{protocol['split']}; {100 * protocol['accuracy']:.1f} % of them classified correctly"
    )


def mask_notes(report: dict[str, Any]) -> str:
    """Sentences, each after a space, on what the network knows of the masks: in training, and in testing."""
    learned = f" {LEARNED_FROM_MASKS}" if report["model"] in REGION_NETWORKS else ""
    return learned + (f" {MASK_NOTE}" if report["protocol"]["mask_used_at_test"] else "")


def _notes(report: dict[str, Any]) -> dict[str, str]:
    """What each plot shows, and on how many slices."""
    protocol, curves = report["protocol"], report["methods"][0]["faithfulness"]
    masks = mask_notes(report)
    return {
        "explanations.png": (
            "The predicted class is explained. Means over slices with 95 % intervals over "
            f"{protocol['interval_over']}. The masks cover {100 * report['mask_share']:.1f} % of the pixels. Grey: "
            f"baselines, which know nothing of the network.{masks}"
        ),
        "explanations-faithfulness.png": (
            f"The probability of the class, the mean over {count(curves['slices'], 'slice')}, while the most relevant "
            "pixels are removed or inserted. Removed pixels become 0, the mean of the normalised images; insertion "
            "begins with the blurred image. Above a panel are the areas below deletion, small if the map is faithful, "
            f"and insertion, large then.{masks}"
        ),
        "explanations-sanity.png": (
            "The correlation of the maps with those of the trained network, while its layers get random weights from "
            "the last to the first; means over slices. A method fails if they correlate by "
            f"{report['strong_correlation']} or more (dashed) after the last layer, or after all of them. Cross: maps "
            f"of two random networks.{masks}"
        ),
    }
