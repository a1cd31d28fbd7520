"""The table of a model: output shapes, parameters, FLOPs, and the implementations that run."""

import re

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.layers import AvgPool2d, BatchNorm2d, Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential, Sigmoid
from tinydnn.layers.summary import layer_rows
from tinydnn.models import baseline_cnn


def small(dtype=np.float32):
    rng = np.random.default_rng(0)
    return Sequential(
        Conv2d(1, 2, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2), Conv2d(2, 3, 3, stride=2, bias=False, rng=rng),
        BatchNorm2d(3), Sigmoid(), AvgPool2d(2), Flatten(), Linear(3, 2, rng=rng), input_shape=(1, 12, 12),
    ).astype(dtype)  # fmt: skip


def rows_of(model, input_shape=(1, 12, 12)):
    return list(layer_rows(list(model.named_layers()), input_shape))


def test_shapes_parameters_and_flops_are_those_counted_by_hand():
    rows = [(row.name, row.output_shape, row.parameters, row.flops) for row in rows_of(small())]
    assert rows == [
        ("00-conv2d", (2, 12, 12), 20, 2 * 12 * 12 * (9 + 8 + 1)),  # products, sums, bias
        ("01-relu", (2, 12, 12), 0, 288),
        ("02-maxpool2d", (2, 6, 6), 0, 288),
        ("03-conv2d", (3, 2, 2), 54, 3 * 2 * 2 * (18 + 17)),
        ("04-batchnorm2d", (3, 2, 2), 6, 4 * 12),
        ("05-sigmoid", (3, 2, 2), 0, 12),
        ("06-avgpool2d", (3, 1, 1), 0, 12),
        ("07-flatten", (3,), 0, 0),
        ("08-linear", (2,), 8, 2 * 2 * 3),
    ]


def test_every_row_names_the_implementation_that_runs(fastest):
    block = np.ones((1, 1, 12, 12), np.float32), np.ones((2, 1, 3, 3), np.float32), None
    strided = np.ones((1, 2, 6, 6), np.float32), np.ones((3, 2, 3, 3), np.float32), None
    implementations = [row.implementations for row in rows_of(small())]
    assert implementations[:4] == [
        (f"conv2d_relu_maxpool2d: {fastest('conv2d_relu_maxpool2d', *block)}",),
        ("with 00-conv2d",), ("with 00-conv2d",),
        (f"conv2d: {fastest('conv2d', *strided, stride=2)}",),
    ]  # fmt: skip
    with ops.use(conv2d="reference"):
        implementations = [row.implementations for row in rows_of(small())]
    assert implementations[:4] == [
        ("conv2d: reference",),
        (f"relu: {fastest('relu', strided[0])}",),
        ("maxpool2d: pairs",),
        ("conv2d: reference",),
    ]


def test_the_table_ends_with_totals():
    lines = str(small().summary()).splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "FLOPs", "implementation"]
    assert len(lines) == 1 + 1 + 9 + 1 + 1
    assert lines[-1].split() == ["all", "88", f"{5184 + 288 + 288 + 420 + 48 + 12 + 12 + 0 + 12:,}"]


def test_the_baseline_has_as_many_parameters_as_counted_by_hand():
    by_hand = sum(9 * i * o + o for i, o in [(1, 16), (16, 32), (32, 64), (64, 128)])
    by_hand += 128 * 16 * 16 * 128 + 128 + 128 * 3 + 3
    assert by_hand == 4_291_971
    model = baseline_cnn(image_size=256)
    assert sum(parameter.value.size for parameter in model.parameters().values()) == by_hand
    rows = rows_of(model, (1, 256, 256))
    assert sum(row.parameters for row in rows) == by_hand
    convolutions = sum(s * s * o * 18 * i for s, i, o in [(256, 1, 16), (128, 16, 32), (64, 32, 64), (32, 64, 128)])
    assert sum(row.flops for row in rows if "conv2d" in row.name) == convolutions
    assert "4,291,971" in str(model.summary()).splitlines()[-1]


def test_a_summary_requires_an_input_shape():
    model = Sequential(Conv2d(1, 2, 3, rng=np.random.default_rng(0)))
    with pytest.raises(ValueError, match="expected an input shape"):
        model.summary()
    assert "2 x 5 x 5" in str(model.summary((1, 7, 7)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_summary_does_not_change_the_model(dtype):
    model = small(dtype)
    before = {name: array.copy() for name, array in model.state().items()}
    model.summary()
    assert all(np.array_equal(array, before[name]) for name, array in model.state().items())


def test_the_flops_of_a_chain_are_the_sum_over_its_layers():
    model = small()
    assert model.flops((1, 12, 12), (2,)) == sum(row.flops for row in rows_of(model))


def test_the_value_of_a_cell_is_the_table_itself():
    summary = small().summary()
    assert repr(summary) == str(summary)
    assert (summary.parameters, summary.flops) == (88, sum(row.flops for row in summary.rows))


def test_a_notebook_shows_a_model_as_the_table_of_its_summary():
    model = small()
    cells = re.findall(r"<t[hd][^>]*>([^<]*)</t[hd]>", model._repr_html_())
    assert cells[:5] == ["layer", "output", "parameters", "FLOPs", "implementation"]
    assert cells[5:8] == ["00-conv2d", "2 x 12 x 12", "20"]
    assert cells[-5:-2] == ["all", "", "88"]
    assert model.summary()._repr_html_() == model._repr_html_()


def test_a_model_without_an_input_shape_has_no_table():
    assert Sequential(ReLU())._repr_html_() is None
