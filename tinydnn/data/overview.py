"""What a dataset looks like as the value of a notebook's cell: its counts, and a slice of each class."""

import io
from typing import TYPE_CHECKING

import numpy as np

from tinydnn import html

if TYPE_CHECKING:
    from tinydnn.data.dataset import Dataset

THUMBNAIL = 128  # pixels


def text(dataset: "Dataset") -> str:
    """One line: slices, patients, size and the number of slices of each class."""
    counts = ", ".join(f"{name} {count}" for name, count in zip(dataset.class_names, _counts(dataset), strict=True))
    return f"{_sentence(dataset)}: {counts}"


def page(dataset: "Dataset") -> str:
    """HTML: a table of the classes, the line above, and the first slice of each class."""
    rows = []
    for label, (name, count) in enumerate(zip(dataset.class_names, _counts(dataset), strict=True)):
        patients = len(set(dataset.patients[dataset.labels == label].tolist()) - {""})
        rows.append((name, f"{count}", f"{patients or '-'}"))
    rows.append(("all", f"{len(dataset)}", f"{dataset.patient_count or '-'}"))
    table = html.table(("class", "slices", "patients"), rows, columns="lrr", last_is_total=True)
    return html.paragraph(f"{_sentence(dataset)}.") + table + _thumbnails(dataset)


def _sentence(dataset: "Dataset") -> str:
    kind = "synthetic slices" if dataset.synthetic else "slices"
    patients = f"of {dataset.patient_count} patients" if dataset.patient_count else "of unknown patients"
    shape = dataset.images.shape[1:]
    size = (
        f"{dataset.size} x {dataset.size} pixels"
        if _has_pixels(dataset)
        else f"features of {' x '.join(map(str, shape))}"
    )
    return f"{len(dataset)} {kind} {patients}, {size}"


def _has_pixels(dataset: "Dataset") -> bool:
    """Whether the images are images; else they are features of a frozen prefix."""
    return dataset.images.dtype == np.uint8


def _counts(dataset: "Dataset") -> list[int]:
    return np.bincount(dataset.labels, minlength=len(dataset.class_names)).tolist()


def _thumbnails(dataset: "Dataset") -> str:
    if not _has_pixels(dataset):
        return ""
    present, first = np.unique(dataset.labels, return_index=True)
    names = [dataset.class_names[label] for label in present]
    return "".join(
        html.picture(_png(image), caption=name, width=THUMBNAIL)
        for image, name in zip(dataset.read(first)[:, 0], names, strict=True)
    )


def _png(image: np.ndarray) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).resize((THUMBNAIL, THUMBNAIL)).save(file, format="png")
    return file.getvalue()
