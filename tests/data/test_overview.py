"""What a dataset looks like in Python and in a notebook."""

import base64
import io
import re

import numpy as np
from PIL import Image

from tinydnn.data import Dataset


def make(images=None, **options):
    rng = np.random.default_rng(0)
    defaults = {
        "images": rng.integers(0, 256, (5, 1, 12, 12)).astype(np.uint8) if images is None else images,
        "labels": np.array([1, 0, 1, 1, 1]),
        "patients": np.array(["A", "B", "A", "C", "C"]),
        "class_names": ("left", "right", "never"),
    }
    return Dataset(**(defaults | options))


def test_the_text_has_the_counts_the_patients_and_the_size():
    assert repr(make()) == "Dataset(5 slices of 3 patients, 12 x 12 pixels: left 1, right 4, never 0)"
    assert repr(make(synthetic=True)).startswith("Dataset(5 synthetic slices of 3 patients")
    assert repr(make(patients=np.full(5, ""))).startswith("Dataset(5 slices of unknown patients")


def test_a_notebook_shows_slices_and_patients_of_each_class():
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", make()._repr_html_())
    assert cells == [
        "class",
        "slices",
        "patients",
        "left",
        "1",
        "1",
        "right",
        "4",
        "2",
        "never",
        "0",
        "-",
        "all",
        "5",
        "3",
    ]


def test_a_notebook_shows_the_first_slice_of_each_class_that_occurs():
    dataset = make()
    page = dataset._repr_html_()
    assert re.findall(r'alt="(\w+)"', page) == ["left", "right"]
    pictures = [Image.open(io.BytesIO(base64.b64decode(data))) for data in re.findall(r"base64,([^\"]+)", page)]
    for picture, index in zip(pictures, (1, 0), strict=True):
        slices = Image.fromarray(dataset.images[index, 0]).resize(picture.size)
        assert np.array_equal(np.asarray(picture), np.asarray(slices))


def test_names_of_classes_are_escaped():
    page = make(class_names=("<script>", "right", "never"))._repr_html_()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_features_have_no_pictures():
    features = make(images=np.zeros((5, 8), np.float32))
    assert "<img" not in features._repr_html_()
    assert repr(features) == "Dataset(5 slices of 3 patients, features of 8: left 1, right 4, never 0)"
