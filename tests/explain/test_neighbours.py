"""Nearest neighbours in feature space."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import before_classifier, nearest
from tinydnn.explain.neighbours import BATCH
from tinydnn.layers import Flatten, ReLU, Sequential
from tinydnn.models import baseline_cnn, batchnorm_cnn
from tinydnn.models.imagenet import NETWORKS
from tinydnn.models.regions import region_cnn


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (baseline_cnn(image_size=32), 128),
        (batchnorm_cnn(image_size=32), 128),
        (region_cnn(image_size=32), 128),
        (NETWORKS["squeezenet1_1"].whole(image_size=48, classes=3), 512),
    ],
    ids=["baseline", "batchnorm", "regions", "squeezenet"],
)
def test_the_features_are_what_the_last_layer_with_weights_takes(model, features):
    x = np.random.default_rng(0).standard_normal((2, *model.input_shape)).astype(np.float32)
    assert before_classifier(model).predict(x).shape == (2, features)


def test_the_classifier_of_the_features_gives_the_logits():
    model = baseline_cnn(image_size=16)
    x = np.random.default_rng(0).standard_normal((2, 1, 16, 16)).astype(np.float32)
    np.testing.assert_allclose(
        model.layers[-1].predict(before_classifier(model).predict(x)), model.predict(x), rtol=1e-5
    )


def test_a_model_without_weights_has_no_features():
    with pytest.raises(InputError, match="model: expected a layer with weights, found none"):
        before_classifier(Sequential(ReLU(), Flatten(), input_shape=(1, 4, 4)))


def test_distances_are_those_of_the_formulas():
    features = np.array([[1.0, 0.0], [3.0, 3.0], [0.0, 2.0], [-5.0, 0.0], [0.0, 0.0]])
    order, distances = nearest(features, np.array([2.0, 0.0]), count=5)
    assert order.tolist() == [0, 1, 2, 4, 3]
    np.testing.assert_allclose(distances, [0, 1 - np.sqrt(0.5), 1, 1, 2], atol=1e-12)
    order, distances = nearest(features, np.array([2.0, 0.0]), count=3, metric="euclidean")
    assert order.tolist() == [0, 4, 2]
    np.testing.assert_allclose(distances, [1, 2, np.sqrt(8)])


def test_rows_are_found_in_every_batch():
    rng = np.random.default_rng(0)
    features = rng.standard_normal((2 * BATCH + 3, 4)).astype(np.float32)
    for index in (0, BATCH - 1, BATCH, 2 * BATCH + 2):
        order, distances = nearest(features, features[index], count=1)
        assert order.tolist() == [index]
        assert distances[0] == pytest.approx(0, abs=1e-7)


def test_the_first_of_equal_rows_comes_first():
    rows = np.ones((100, 2)) * np.arange(100)[:, None] % 3 + 1
    order, _ = nearest(rows, np.ones(2), count=20, metric="euclidean")
    assert order.tolist() == list(range(0, 60, 3))


@pytest.mark.parametrize("count", [0, -1, 4])
def test_a_number_of_neighbours_that_is_not_there_is_refused(count):
    with pytest.raises(InputError, match=f"neighbours: expected 1 to 3, the number of slices, found {count}"):
        nearest(np.ones((3, 2)), np.ones(2), count=count)


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="metric: expected cosine or euclidean, found 'manhattan'"):
        nearest(np.ones((3, 2)), np.ones(2), metric="manhattan")
