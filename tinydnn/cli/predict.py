"""`tinydnn predict`: class and probabilities for single pictures."""

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


@app.command()
def predict(
    model: Annotated[Path, typer.Argument(help="A model.h5 that train has written.")],
    files: Annotated[list[Path], typer.Argument(help="Pictures: .mat, PNG or JPEG.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """Say what a saved model sees in each picture."""
    from tinydnn.checkpoint import load_model
    from tinydnn.data.prepare.pixels import to_uint8
    from tinydnn.data.read.images import read_image, read_image_and_mask
    from tinydnn.ops import softmax
    from tinydnn.training.views import logits

    if as_json and as_csv:
        raise InputError("--json, --csv: expected one of the two, found both")
    saved = load_model(model)
    rows = []
    for file in files:
        image, mask = read_image_and_mask(file) if saved.crop.uses_mask else (read_image(file), None)
        image, _ = saved.crop(image, mask, str(file))
        x = saved.normalise(to_uint8(image, saved.size)[None, None])
        probabilities = softmax(logits(saved.model, x, saved.views))[0].tolist()
        best = saved.class_names[max(range(len(probabilities)), key=probabilities.__getitem__)]
        rows.append((str(file), best, probabilities))
    if as_json:
        found = [
            {"file": name, "class": best, "probabilities": dict(zip(saved.class_names, shares, strict=True))}
            for name, best, shares in rows
        ]
        typer.echo(json.dumps({"note": WARNING, "predictions": found}, indent=2))
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(["file", "class", *saved.class_names])
        writer.writerows([name, best, *shares] for name, best, shares in rows)
        print(WARNING, file=sys.stderr)
    else:
        for name, best, shares in rows:
            listed = ", ".join(f"{one} {share:.1%}" for one, share in zip(saved.class_names, shares, strict=True))
            say(f"{name}: {best} ({listed})")
        say(WARNING)
