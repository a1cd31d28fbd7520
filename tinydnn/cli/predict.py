"""`tinydnn predict`: classify images."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli.app import FAILED, app
from tinydnn.cli.display import say
from tinydnn.cli.images import Images, Model, find_files, prediction, prepared_images, shares
from tinydnn.errors import InputError
from tinydnn.words import NOT_MEDICAL

if TYPE_CHECKING:
    from tinydnn.checkpoint import SavedModel


@app.command(
    examples=(
        "tinydnn predict runs/real/model.h5 slice.png",
        "tinydnn predict runs/real/model.h5 *.mat --csv",
    )
)
def predict(
    model: Model,
    images: Images,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Print the predicted class of each image, and the probabilities of all classes.

    An image that cannot be read gets a line on standard error; the exit status is then 2.
    """
    from tinydnn.checkpoint import load_model

    if as_json and as_csv:
        raise InputError("--json, --csv: expected one of the two, found both")
    saved = load_model(model)
    errors: list[dict[str, str]] = []
    predictions = _predictions(saved, images, errors)
    if as_json:
        documents = [{"file": str(path), "prediction": best, "probabilities": p} for path, best, p in predictions]
        typer.echo(json.dumps({"note": NOT_MEDICAL, "predictions": documents, "errors": errors}, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["file", "prediction", *saved.class_names])
        writer.writerows([path, best, *p.values()] for path, best, p in predictions)
        print(NOT_MEDICAL, file=sys.stderr)
    else:
        for path, best, p in predictions:
            say(f"{path}: {best} ({shares(p)})")
        say(NOT_MEDICAL)
    if errors:
        raise typer.Exit(FAILED)


def _predictions(
    saved: "SavedModel", images: Iterable[Path], errors: list[dict[str, str]]
) -> Iterator[tuple[Path, str, dict[str, float]]]:
    """Each image with its predicted class and the probabilities of all classes; one that cannot be read is in `errors`.

    Each image is a batch of its own: in a larger one, the last bits of its probabilities would depend on the others.
    """
    for path, image in prepared_images(saved, find_files(images, errors), errors):
        yield path, *prediction(saved, image)
