"""`tinydnn evaluate`: the figures of a saved model on other data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.app import app
from tinydnn.cli.display import print_metrics, progress_bar, say, say_skipped
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A model.h5 that train has written.")],
    data: choices.Data,
    as_json: Annotated[bool, typer.Option("--json", help="Print the figures as JSON.")] = False,
    skip_broken: choices.SkipBroken = False,
    threads: Threads = None,
) -> None:
    """Measure a saved model on all slices of DATA."""
    import numpy as np

    from tinydnn.checkpoint import load_model
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared
    from tinydnn.runs import measure
    from tinydnn.training.evaluation import evaluate as evaluate_model

    saved = load_model(model)
    with progress_bar("Preparing slices") as progress:
        path = prepared(data, size=saved.size, crop=saved.crop, skip_broken=skip_broken, progress=progress)
    dataset = Dataset.open(path)
    if dataset.class_names != saved.class_names:
        raise InputError(
            f"{data}: expected the model's classes {', '.join(saved.class_names)}, "
            f"found {', '.join(dataset.class_names)}"
        )
    indices = np.arange(len(dataset))
    found = evaluate_model(saved.model, dataset, indices, saved.normalise, views=saved.views)
    metrics = measure(found, dataset, indices, by_patient=True)
    if as_json:
        typer.echo(json.dumps({**metrics, "skipped": dataset.skipped}, indent=2))
        return
    say_skipped(dataset)
    print_metrics(metrics)
    say("Whom it was trained on, a model does not tell: if a patient of this data was among them, the figures flatter.")
