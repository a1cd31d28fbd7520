"""The images that a command is given: files and folders, and what cannot be read."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tinydnn.cli.app import complain
from tinydnn.errors import InputError

if TYPE_CHECKING:
    from tinydnn.checkpoint import SavedModel
    from tinydnn.checkpoint.images import PreparedImage

Model = Annotated[Path, typer.Argument(help="The model.h5 of a run.")]
Images = Annotated[
    list[Path], typer.Argument(help="Images (.mat, PNG or JPEG), or folders of images, with their sub-folders.")
]


def find_files(images: Iterable[Path], errors: list[dict[str, str]]) -> Iterator[Path]:
    """The files, with those of folders; a folder without images gets a line and is in `errors`."""
    from tinydnn.data.read import find_images

    for path in images:
        try:
            yield from find_images(path) if path.is_dir() else [path]
        except InputError as error:
            _report(path, error, errors)


def prepared_images(
    saved: "SavedModel", files: Iterable[Path], errors: list[dict[str, str]], *, with_masks: bool = False
) -> Iterator[tuple[Path, "PreparedImage"]]:
    """Each file with its image, prepared for the model; one that cannot be read gets a line and is in `errors`."""
    from tinydnn.checkpoint.images import prepare_image

    _ = saved.size  # a model that takes no such images is refused, once for all of them
    for path in files:
        try:
            image = prepare_image(saved, path, with_mask=with_masks)
        except InputError as error:
            _report(path, error, errors)
            continue
        yield path, image


def prediction(saved: "SavedModel", image: "PreparedImage") -> tuple[str, dict[str, float]]:
    """The predicted class of an image, and the probability of each class."""
    probabilities = dict(zip(saved.class_names, saved.probabilities(image.x)[0].tolist(), strict=True))
    return max(probabilities, key=probabilities.__getitem__), probabilities


def require_class(label: str | None, saved: "SavedModel") -> None:
    """Raise `InputError` unless --class is one of the model's classes, or not given."""
    if label is not None and label not in saved.class_names:
        raise InputError(f"--class: expected one of {', '.join(saved.class_names)}, found {label!r}")


def shares(probabilities: dict[str, float]) -> str:
    """The probabilities of the classes as text: glioma 96.1%, pituitary 3.9%."""
    return ", ".join(f"{label} {share:.1%}" for label, share in probabilities.items())


def _report(path: Path, error: InputError, errors: list[dict[str, str]]) -> None:
    """Print why a file has no answer, and append it to `errors`."""
    complain(str(error))
    errors.append({"file": str(path), "error": str(error)})
