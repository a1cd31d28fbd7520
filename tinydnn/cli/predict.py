"""`tinydnn predict`: classify single images."""

import csv
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from tinydnn.cli.app import app
from tinydnn.cli.display import say
from tinydnn.errors import InputError

WARNING = "Not a medical device: for study only, never for a diagnosis."


@app.command(
    examples=(
        "tinydnn predict runs/real/model.h5 slice.png",
        "tinydnn predict runs/real/model.h5 *.mat --csv",
    )
)
def predict(
    model: Annotated[Path, typer.Argument(help="The model.h5 of a run.")],
    files: Annotated[list[Path], typer.Argument(help="Images: .mat, PNG or JPEG.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Print the predicted class of each image, and the probabilities of all classes."""
    from tinydnn.checkpoint import load_model
    from tinydnn.data.prepare.pixels import to_uint8
    from tinydnn.data.read import read_image, read_image_and_mask
    from tinydnn.ops import softmax
    from tinydnn.training.views import mean_logits

    if as_json and as_csv:
        raise InputError("--json, --csv: expected one of the two, found both")
    saved = load_model(model)
    rows = []
    for file in files:
        image, mask = read_image_and_mask(file) if saved.crop.uses_mask else (read_image(file), None)
        image, _ = saved.crop(image, mask, str(file))
        x = saved.normalise(to_uint8(image, saved.size)[None, None])
        shares = softmax(mean_logits(saved.model, x, saved.views))[0].tolist()
        probabilities = dict(zip(saved.class_names, shares, strict=True))
        rows.append((str(file), max(probabilities, key=probabilities.__getitem__), probabilities))
    if as_json:
        predictions = [{"file": name, "class": best, "probabilities": p} for name, best, p in rows]
        typer.echo(json.dumps({"note": WARNING, "predictions": predictions}, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["file", "class", *saved.class_names])
        writer.writerows([name, best, *p.values()] for name, best, p in rows)
        print(WARNING, file=sys.stderr)
    else:
        for name, best, p in rows:
            say(f"{name}: {best} ({', '.join(f'{label} {share:.1%}' for label, share in p.items())})")
        say(WARNING)
