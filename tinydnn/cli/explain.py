"""`tinydnn explain`: show why a model answers as it does."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tinydnn.cli.app import FAILED, app
from tinydnn.cli.display import say
from tinydnn.cli.help import Program
from tinydnn.cli.images import Images, Model, find_files, prediction, prepared_images, require_class, shares
from tinydnn.cli.outputs import Overwrite, pictures_of
from tinydnn.cli.threads import Threads
from tinydnn.errors import InputError
from tinydnn.words import LEARNED_FROM_MASKS, NOT_MEDICAL

if TYPE_CHECKING:
    from tinydnn.checkpoint import SavedModel
    from tinydnn.checkpoint.images import PreparedImage
    from tinydnn.explain import Method
    from tinydnn.explain.explanation import Finding
    from tinydnn.layers import Sequential

FOLDER = Path("explanations")
MANY = 4  # methods by default
# Of these, the first that can explain the model: what it has of its own, then a method of each kind.
PREFERRED = (
    "regions", "attention", "grad-cam", "integrated-gradients", "smooth-grad", "occlusion", "gradient-x-input",
    "saliency",
)  # fmt: skip

METHOD_HELP = (
    "Methods, separated by commas: saliency, gradient-x-input, guided-backprop, smooth-grad, integrated-gradients, "
    "grad-cam, grad-cam++, layer-cam, occlusion, rise, regions, attention; by default up to four."
)

explain = Program(help="Show why a model answers as it does, and what is inside it.", default="images")
app.add_typer(explain, name="explain")


@explain.command(
    hidden=True,
    examples=(
        "tinydnn explain runs/real/model.h5 slice.mat",
        "tinydnn explain runs/real/model.h5 *.mat --method grad-cam,saliency --out pictures",
        "tinydnn explain runs/real/model.h5 slice.mat --class glioma --json",
    ),
)
def images(
    model: Model,
    images: Images,
    method: Annotated[str | None, typer.Option(help=METHOD_HELP)] = None,
    layer: Annotated[str | None, typer.Option(help="Layer of the methods that take one, such as grad-cam.")] = None,
    label: Annotated[
        str | None, typer.Option("--class", help="Class to explain; by default the predicted one.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of the pictures (explanations by default, with --json none), or for one image a file: .png, "
            ".svg or .pdf."
        ),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    threads: Threads = None,
) -> None:
    """Draw what each method finds relevant in an image, over the slice: a picture for each image.

    Prints the position of each map's maximum, in pixels from 0 of the image as the model takes it, and, where a .mat
    file has the tumour's mask, the share of the relevance inside it. An image that cannot be read gets a line on
    standard error; the exit status is then 2.
    """
    from tinydnn import plots
    from tinydnn.checkpoint import load_model
    from tinydnn.explain.explanation import explain_image
    from tinydnn.training.loss import has_region_head

    saved = load_model(model)
    methods = _methods(saved.model, method, layer)
    require_class(label, saved)
    errors: list[dict[str, str]] = []
    files = list(find_files(images, errors))
    pictures = pictures_of(files, FOLDER if out is None and not as_json else out, overwrite=overwrite)
    documents = []
    for path, image in prepared_images(saved, files, errors, with_masks=True):
        best, probabilities = prediction(saved, image)
        explained = best if label is None else label
        findings = explain_image(saved.model, image.x, saved.class_names.index(explained), methods, layer=layer)
        picture = pictures.get(path)
        if picture is not None:
            title = f"{path.name}: predicted {best} ({shares(probabilities).replace('%', ' %')})"
            note = _note(saved, "" if explained == best else f"Explained: {explained}, not the predicted class.")
            figure = plots.explanation(image=image.pixels, findings=findings, mask=image.mask, title=title, note=note)
            plots.save(figure, picture)
        documents.append(
            {
                "file": str(path), "prediction": best, "probabilities": probabilities, "explained": explained,
                "pixels": image.pixels.shape, "tumour_share": None if image.mask is None else float(image.mask.mean()),
                "learned_from_masks": has_region_head(saved.model),
                "picture": None if picture is None else str(picture), "methods": _document(findings, image),
            }
        )  # fmt: skip
        if not as_json:
            _say(documents[-1], findings, image)
    if as_json:
        typer.echo(json.dumps({"note": NOT_MEDICAL, "explanations": documents, "errors": errors}, indent=2))
    else:
        say(NOT_MEDICAL)
    if errors:
        raise typer.Exit(FAILED)


def named_methods(model: "Sequential", names: str) -> list["Method"]:
    """The methods of --method, each once. Raises `InputError` if one is unknown or cannot explain the model."""
    from tinydnn.explain import find_method, methods_for

    chosen = [find_method(name) for name in dict.fromkeys(part.strip() for part in names.split(","))]
    for method in chosen:
        if not method.supports(model):
            possible = ", ".join(method.name for method in methods_for(model))
            raise InputError(f"--method: expected what can explain this model ({possible}), found {method.name}")
    return chosen


def _methods(model: "Sequential", names: str | None, layer: str | None) -> list["Method"]:
    """The methods of --method, or the default ones. Raises `InputError` if --layer is for none of them."""
    from tinydnn.explain import methods_for

    possible = {method.name: method for method in methods_for(model)}
    if names is None:
        chosen = [possible[name] for name in PREFERRED if name in possible][:MANY]
    else:
        chosen = named_methods(model, names)
    if layer is not None and not any(method.takes_layer for method in chosen):
        taking = ", ".join(method.name for method in possible.values() if method.takes_layer) or "none of this model's"
        raise InputError(f"--layer: expected a method that takes a layer ({taking}), found none")
    return chosen


def _note(saved: "SavedModel", note: str) -> str:
    from tinydnn.training.loss import has_region_head

    views = f"The probabilities are of {saved.views} views, the maps of the image itself." if saved.views > 1 else ""
    masks = LEARNED_FROM_MASKS if has_region_head(saved.model) else ""
    return " ".join(text for text in (note, views, masks) if text)


def _document(findings: Sequence["Finding"], image: "PreparedImage") -> dict[str, Any]:
    """The findings as JSON values, by method."""
    return {
        finding.name: {
            "maximum": finding.maximum,
            "maximum_in_tumour": _hit(finding, image),
            "share_in_tumour": None if image.mask is None else finding.share_inside(image.mask),
            "note": finding.note,
        }
        for finding in findings
    }


def _hit(finding: "Finding", image: "PreparedImage") -> bool | None:
    """Whether the maximum lies inside the tumour; None without a mask or a maximum."""
    return None if image.mask is None or finding.maximum is None else bool(image.mask[finding.maximum])


def _pixels(document: dict[str, Any]) -> str:
    """The pixels that positions count, the share of the tumour, and whether the model has learned where it is."""
    height, width = document["pixels"]
    text = f"{height} × {width} pixels"
    if document["tumour_share"] is not None:
        text += f", {document['tumour_share']:.1%} of them inside the tumour"
    return f"{text}. {LEARNED_FROM_MASKS}" if document["learned_from_masks"] else text


def _say(document: dict[str, Any], findings: Sequence["Finding"], image: "PreparedImage") -> None:
    """Print the class of an image, and a line for each method."""
    explained = "" if document["explained"] == document["prediction"] else f"; explained: {document['explained']}"
    say(f"{document['file']}: {document['prediction']} ({shares(document['probabilities'])}){explained}")
    say(f"  {_pixels(document)}")
    width = max(len(finding.title) for finding in findings)
    for finding in findings:
        if finding.maximum is None:
            line = "no relevance anywhere"
        else:
            line = "maximum at row {}, column {}".format(*finding.maximum)
            hit = _hit(finding, image)
            if image.mask is not None:
                line += f", {'inside' if hit else 'outside'} the tumour; {finding.share_inside(image.mask):.1%} inside"
        say(f"  {finding.title:{width}}  {line}{f'; {finding.note}' if finding.note else ''}")
    say(f"  picture: {document['picture']}")
