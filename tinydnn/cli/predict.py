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
    from tinydnn.data.images import read_image
    from tinydnn.data.pixels import to_uint8
    from tinydnn.ops import softmax

    if as_json and as_csv:
        raise InputError("--json, --csv: expected one of the two, found both")
    saved = load_model(model)
    rows = []
    for file in files:
        x = saved.normalise(to_uint8(read_image(file), saved.size)[None, None])
        probabilities = softmax(saved.model.predict(x))[0].tolist()
        best = saved.class_names[max(range(len(probabilities)), key=probabilities.__getitem__)]
        rows.append({"file": str(file), "class": best, **dict(zip(saved.class_names, probabilities, strict=True))})
    if as_json:
        typer.echo(json.dumps({"note": WARNING, "predictions": rows}, indent=2))
    elif as_csv:
        writer = csv.DictWriter(sys.stdout, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
        print(WARNING, file=sys.stderr)
    else:
        for row in rows:
            shares = ", ".join(f"{name} {row[name]:.1%}" for name in saved.class_names)
            say(f"{row['file']}: {row['class']} ({shares})")
        say(WARNING)
