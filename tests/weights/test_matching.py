"""What fits is taken over whole; what does not is named."""

import numpy as np
import pytest

from tinydnn.data.preprocessing import TORCHVISION
from tinydnn.errors import InputError
from tinydnn.weights import load


@pytest.fixture
def saved(arrays, write_safetensors, tmp_path):
    """A function that writes the arrays, changed by the arguments, and gives the file."""

    def write(**changes):
        named = {**arrays, **{name.replace("__", "."): one for name, one in changes.items()}}
        kept = {name: one for name, one in named.items() if one is not None}
        return write_safetensors(tmp_path / "w.safetensors", kept)

    return write


def state(model):
    return {name: value.copy() for name, value in model.state().items()}


def test_the_report_says_what_was_taken_over_and_what_was_left(model, saved):
    path = saved(classifier__0__weight=None, classifier__0__bias=None, other__weight=np.ones(2, np.float32))
    report = load(model, path)
    assert report.preprocessing == TORCHVISION
    assert str(report) == (
        "4 arrays of 297 numbers taken over; left as they were: classifier.0.weight, classifier.0.bias; "
        "not used: other.weight"
    )


def test_one_part_alone(model, saved, arrays):
    before = state(model)
    report = load(model, saved(), part="features")
    assert report.left_over == ("classifier.0.weight", "classifier.0.bias")
    assert np.array_equal(model.state()["00-features.0/weight"], arrays["features.0.weight"])
    assert np.array_equal(model.state()["06-classifier.0/weight"], before["06-classifier.0/weight"])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"features__2__weight": np.ones((5, 4, 5, 5), np.float32)},
         r"features.2.weight: expected shape \(5, 4, 3, 3\), found \(5, 4, 5, 5\)"),
        ({"features__2__bias": None}, r"features.2.bias: expected an array of shape \(5,\), found none of this name"),
        ({"features__0__bias": np.full(4, np.nan, np.float32)}, "features.0.bias: expected finite numbers, found NaN"),
        ({"features__0__bias": np.full(4, 1e300)}, "features.0.bias: expected finite numbers, found NaN or infinity"),
    ],
)  # fmt: skip
def test_a_mismatch_names_the_layer_and_leaves_the_model_as_it_was(model, saved, changes, words):
    before = state(model)
    with pytest.raises(InputError, match=rf"w.safetensors: {words}"):
        load(model, saved(**changes))
    assert all(np.array_equal(value, before[name]) for name, value in model.state().items())


def test_weights_of_another_network_are_refused(model, write_safetensors, tmp_path):
    path = write_safetensors(tmp_path / "w.safetensors", {"layer1.conv.weight": np.ones((2, 2), np.float32)})
    with pytest.raises(InputError, match=r"expected arrays such as features.0.weight, features.0.bias, "
                                         r"features.2.weight and 3 more, found layer1.conv.weight"):  # fmt: skip
        load(model, path)
