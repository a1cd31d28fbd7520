"""Weights are matched by name; mismatches are reported and leave the model unchanged."""

import numpy as np
import pytest

from tinydnn.data.normalise import TORCHVISION
from tinydnn.errors import InputError
from tinydnn.weights import load


@pytest.fixture
def saved(arrays, write_safetensors, tmp_path):
    """A function that writes the arrays, with changes by name (None removes), and returns the path."""

    def write(**changes):
        changed = {**arrays, **{name.replace("__", "."): array for name, array in changes.items()}}
        present = {name: array for name, array in changed.items() if array is not None}
        return write_safetensors(tmp_path / "w.safetensors", present)

    return write


def state(model):
    return {name: value.copy() for name, value in model.state().items()}


def test_the_report_lists_loaded_unchanged_and_unused_arrays(model, saved):
    path = saved(classifier__0__weight=None, classifier__0__bias=None, other__weight=np.ones(2, np.float32))
    report = load(model, path)
    assert report.preprocessing == TORCHVISION
    assert str(report) == (
        "4 arrays of 297 elements loaded; unchanged: classifier.0.weight, classifier.0.bias; unused: other.weight"
    )


def test_a_single_module_can_be_loaded(model, saved, arrays):
    before = state(model)
    report = load(model, saved(), module="features")
    assert report.unused == ("classifier.0.weight", "classifier.0.bias")
    assert np.array_equal(model.state()["00-features.0/weight"], arrays["features.0.weight"])
    assert np.array_equal(model.state()["06-classifier.0/weight"], before["06-classifier.0/weight"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features__2__weight": np.ones((5, 4, 5, 5), np.float32)},
         r"features.2.weight: expected shape \(5, 4, 3, 3\), found \(5, 4, 5, 5\)"),
        ({"features__2__bias": None}, r"features.2.bias: expected an array of shape \(5,\), found none of this name"),
        ({"features__0__bias": np.full(4, np.nan, np.float32)}, "features.0.bias: expected finite values, found NaN"),
        ({"features__0__bias": np.full(4, 1e300)}, "features.0.bias: expected finite values, found NaN or infinity"),
    ],
)  # fmt: skip
def test_a_mismatch_names_the_array_and_leaves_the_model_unchanged(model, saved, changes, words):
    before = state(model)
    with pytest.raises(InputError, match=rf"w.safetensors: {words}"):
        load(model, saved(**changes))
    assert all(np.array_equal(value, before[name]) for name, value in model.state().items())


def test_weights_of_another_network_are_refused(model, write_safetensors, tmp_path):
    path = write_safetensors(tmp_path / "w.safetensors", {"layer1.conv.weight": np.ones((2, 2), np.float32)})
    with pytest.raises(InputError, match=r"expected arrays such as features.0.weight, features.0.bias, "
                                         r"features.2.weight and 3 more, found layer1.conv.weight"):  # fmt: skip
        load(model, path)
