"""`tinydnn predict`: classify images."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli.app import FAILED, app, complain
from tinydnn.cli.display import say
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.checkpoint import SavedModel

WARNING = "Not a medical device: for study only, never for a diagnosis."


@app.command(
    examples=(
        "tinydnn predict runs/real/model.h5 slice.png",
        "tinydnn predict runs/real/model.h5 *.mat --csv",
    )
)
def predict(
    model: Annotated[Path, typer.Argument(help="The model.h5 of a run.")],
    images: Annotated[
        list[Path], typer.Argument(help="Images (.mat, PNG or JPEG), or folders of images, with their sub-folders.")
    ],
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
        typer.echo(json.dumps({"note": WARNING, "predictions": documents, "errors": errors}, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["file", "prediction", *saved.class_names])
        writer.writerows([path, best, *p.values()] for path, best, p in predictions)
        print(WARNING, file=sys.stderr)
    else:
        for path, best, p in predictions:
            say(f"{path}: {best} ({', '.join(f'{label} {share:.1%}' for label, share in p.items())})")
        say(WARNING)
    if errors:
        raise typer.Exit(FAILED)


def _predictions(
    saved: "SavedModel", images: Iterable[Path], errors: list[dict[str, str]]
) -> Iterator[tuple[Path, str, dict[str, float]]]:
    """Each image with its predicted class and the probabilities of all classes; one that cannot be read is in `errors`.

    Each image is a batch of its own: in a larger one, the last bits of its probabilities would depend on the others.
    """
    from tinydnn.data.prepare.pixels import to_uint8
    from tinydnn.data.read import read_image, read_image_and_mask
    from tinydnn.ops import softmax
    from tinydnn.training.views import mean_logits

    size = saved.size
    for path in _files(images, errors):
        try:
            image, mask = read_image_and_mask(path) if saved.crop.uses_mask else (read_image(path), None)
            image, _ = saved.crop(image, mask, str(path))
        except InputError as error:
            _report(path, error, errors)
            continue
        x = saved.normalise(to_uint8(image, size)[None, None])
        shares = softmax(mean_logits(saved.model, x, saved.views))[0].tolist()
        probabilities = dict(zip(saved.class_names, shares, strict=True))
        yield path, max(probabilities, key=probabilities.__getitem__), probabilities


def _files(images: Iterable[Path], errors: list[dict[str, str]]) -> Iterator[Path]:
    """The files, with those of folders; a folder without images is in `errors`."""
    from tinydnn.data.read import find_images

    for path in images:
        try:
            yield from find_images(path) if path.is_dir() else [path]
        except InputError as error:
            _report(path, error, errors)


def _report(path: Path, error: InputError, errors: list[dict[str, str]]) -> None:
    """Print why a file has no prediction, and append it to `errors`."""
    complain(str(error))
    errors.append({"file": str(path), "error": str(error)})
