"""`tinydnn evaluate`: evaluate a saved model on other data."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import describe, print_metrics, say, say_skipped
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError


@app.command(examples=("tinydnn evaluate runs/real/model.h5 other-slices --out results",))
def evaluate(
    model: Annotated[Path, typer.Argument(help="The model.h5 of a run.")],
    data: choices.Data,
    out: Annotated[
        Path | None, typer.Option(help="Folder for metrics.json, predictions.csv and confusion-matrix.png.")
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace the results of an earlier evaluation in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    skip_broken: choices.SkipBroken = False,
    threads: Threads = None,
) -> None:
    """Evaluate a saved model on all slices of DATA, whose classes are matched to the model's by name."""
    import numpy as np

    from tinydnn.checkpoint import load_model
    from tinydnn.checkpoint.patients import training_overlap
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared
    from tinydnn.runs import evaluation_report
    from tinydnn.runs.evaluation import MASK_NOTE
    from tinydnn.runs.files import versions
    from tinydnn.runs.results import require_results_folder, write_results
    from tinydnn.training.evaluation import evaluate as evaluate_model

    if out is not None:
        require_results_folder(out, overwrite=overwrite)
    elif overwrite:
        raise InputError("--overwrite: expected the folder of the results as --out, found none")
    saved = load_model(model)
    with progress_bar("Preparing slices") as progress:
        path = prepared(data, size=saved.size, crop=saved.crop, skip_broken=skip_broken, progress=progress)
    dataset = Dataset.open(path).with_classes(saved.class_names)
    indices = np.arange(len(dataset))
    evaluation = evaluate_model(saved.model, dataset, indices, saved.normalise, views=saved.views)
    metrics = evaluation_report(evaluation, dataset, indices, new_patients=True)
    metrics["training_overlap"] = training_overlap(saved.training_patients, dataset.patients)
    metrics["skipped"] = dataset.skipped
    overlap_note = _overlap_note(metrics, recorded=saved.training_patients is not None)
    if out is not None:
        notes = ["Synthetic phantoms."] * dataset.synthetic + [MASK_NOTE] * dataset.crop.uses_mask + [overlap_note]
        origin = {"model": str(model), "data": dataset.source, "versions": versions()}
        title, note = f"{model} on {dataset.source}", " ".join(notes)
        write_results(out, evaluation, dataset, metrics | origin, overwrite=overwrite, title=title, note=note)
    if as_json:
        typer.echo(json.dumps(metrics, indent=2))
        return
    say_skipped(dataset)
    say(describe(dataset))
    print_metrics(metrics)
    if absent := [name for name, row in metrics["per_class"].items() if not row["support"]]:
        say(f"No slices of {', '.join(absent)} in this data: without recall, and not in the averages")
    say(overlap_note)
    if out is not None:
        say(f"Metrics, predictions and plot are in {out}")


def _overlap_note(metrics: dict[str, Any], *, recorded: bool) -> str:
    if not recorded:
        return "The model does not record its training patients; overlap would inflate these figures."
    overlap = metrics["training_overlap"]
    if overlap is None:
        return "Not every slice has a patient id; overlap with the training set would inflate these figures."
    if not overlap["slices"]:
        return "No patient of this data was in the training set."
    return (
        f"{overlap['patients']} of {metrics['patients']} patients ({overlap['slices']} of {metrics['slices']} slices) "
        "were used to train the model or to select its epoch, which inflates these figures."
    )
