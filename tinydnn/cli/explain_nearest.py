"""`tinydnn explain nearest`: the slices that a model takes for most like an image."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli import choices
from tinydnn.cli.display import say, say_skipped
from tinydnn.cli.explain import explain
from tinydnn.cli.images import Model, prediction, shares
from tinydnn.cli.outputs import Overwrite, Picture, require_picture
from tinydnn.cli.progress import progress_bar
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError
from tinydnn.words import NOT_MEDICAL
from tinydnn.words import count as counted

if TYPE_CHECKING:
    import numpy as np

    from tinydnn.checkpoint import SavedModel
    from tinydnn.data.dataset import Dataset


@explain.command(
    "nearest",
    examples=(
        "tinydnn explain nearest runs/real/model.h5 slice.mat figshare",
        "tinydnn explain nearest runs/real/model.h5 slice.mat figshare -n 10 --metric euclidean",
    ),
)
def nearest(
    model: Model,
    image: Annotated[Path, typer.Argument(help="A .mat, PNG or JPEG image.")],
    data: choices.Data,
    number: Annotated[int, typer.Option("-n", min=1, max=50, help="How many slices.")] = 5,
    metric: Annotated[str, typer.Option(metavar="<choice>", help="cosine or euclidean.")] = "cosine",
    out: Picture = Path("nearest.png"),
    overwrite: Overwrite = False,
    skip_broken: choices.SkipBroken = False,
    threads: Threads = None,
) -> None:
    """Show the slices of DATA whose features are nearest to those of an image; only of training patients, if known."""
    from tinydnn import plots
    from tinydnn.checkpoint import load_model
    from tinydnn.checkpoint.images import prepare_image
    from tinydnn.data.dataset import Dataset
    from tinydnn.data.prepare.cache import prepared
    from tinydnn.explain.neighbours import METRICS, before_classifier
    from tinydnn.explain.neighbours import nearest as nearest_rows
    from tinydnn.plots import Neighbour
    from tinydnn.runs.declarations import require_choice
    from tinydnn.training.features import cached_features

    require_choice("metric", metric, METRICS)
    require_picture(out, overwrite=overwrite)
    saved = load_model(model)
    query = prepare_image(saved, image, with_mask=True)
    best, probabilities = prediction(saved, query)
    prefix = before_classifier(saved.model)
    with progress_bar("Preparing slices") as progress:
        dataset = Dataset.open(
            prepared(data, size=saved.size, crop=saved.crop, skip_broken=skip_broken, progress=progress)
        )
    say_skipped(dataset)
    with progress_bar("Computing features") as progress:
        features = cached_features(dataset, prefix, saved.normalise, progress=progress)
    candidates, which = _candidates(saved, dataset)
    if number > len(candidates):
        raise InputError(f"-n: expected at most {len(candidates)}, the number of slices to search, found {number}")
    rows = features.read(candidates).reshape(len(candidates), -1)
    order, distances = nearest_rows(rows, prefix.predict(query.x).ravel(), count=number, metric=metric)
    found = candidates[order]
    say(f"{image}: {best} ({shares(probabilities)})")
    say(f"The nearest of {which}, by {metric} distance of {rows.shape[1]} features:")
    names = [dataset.class_names[label] for label in dataset.labels[found]]
    width = max(map(len, names))
    for index, name, distance in zip(found, names, distances, strict=True):
        patient = f"patient {dataset.patients[index]}" if dataset.patients[index] else "patient unknown"
        say(f"  {distance:.4f}  {name:{width}}  {patient}  {dataset.files[index]}")
    say(", ".join(f"{total} of {number} {name}" for name, total in Counter(names).most_common()))
    masks = [None] * number if dataset.masks is None else dataset.read_masks(found)
    tiles = [
        Neighbour(pixels[0], name, str(patient), float(distance), mask)
        for pixels, name, patient, distance, mask in zip(
            dataset.read(found), names, dataset.patients[found], distances, masks, strict=True
        )
    ]
    title = f"{image.name}: the nearest of {which}, {metric} distance"
    plots.save(plots.neighbours(image=query.pixels, name=best, found=tiles, title=title, mask=query.mask), out)
    say(f"Picture: {out}")
    say(NOT_MEDICAL)


def _candidates(saved: "SavedModel", dataset: "Dataset") -> tuple["np.ndarray", str]:
    """The indices of the slices to search, and what they are: those of training patients, if there are any."""
    import numpy as np

    from tinydnn.checkpoint.patients import hash_patient

    hashes = saved.training_patients or frozenset()
    trained_on = np.array([hash_patient(patient) in hashes for patient in dataset.patients.tolist()])
    if trained_on.any():
        return np.flatnonzero(trained_on), counted(int(trained_on.sum()), "slice") + " of training patients"
    return np.arange(len(dataset)), counted(len(dataset), "slice") + ", of which none is known to be trained on"
