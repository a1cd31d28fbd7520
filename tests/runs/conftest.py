"""A small dataset, and plots that are not drawn."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset


def make_dataset(slices=30, *, noise=60, contrast=150, **changes):
    """Slices whose class is the row of a bright band, three per patient; a larger noise makes them harder."""
    rng = np.random.default_rng(0)
    labels = np.arange(slices) // 3 % 3
    images = rng.integers(0, noise, (slices, 1, 16, 16)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += contrast
    patients = np.array([f"P{number // 3}" for number in range(slices)])
    return replace(Dataset(images, labels, patients, ("a", "b", "c"), content="that", source="slices"), **changes)


@pytest.fixture
def dataset():
    """The function `make_dataset`."""
    return make_dataset


@pytest.fixture
def no_plots(monkeypatch):
    """Skip the drawing of plots and reports, which takes the most time and is tested elsewhere; collect their notes."""
    notes = []
    for name in ("training_progress", "confusion_matrix", "folds"):
        monkeypatch.setattr(f"tinydnn.plots.{name}", lambda *_, note, **__: notes.append(note))
    monkeypatch.setattr("tinydnn.plots.save", lambda *_: None)
    monkeypatch.setattr("tinydnn.runs.html_report.write_report", lambda *_, **__: None)
    return notes
