"""Grad-CAM, Grad-CAM++ and Layer-CAM equal their formulas, written out position by position."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import grad_cam, grad_cam_plus_plus, layer_cam
from tinydnn.explain.feature_map import feature_map_and_gradient
from tinydnn.explain.score import scores
from tinydnn.explain.upsample import upsample

CAMS = [grad_cam, grad_cam_plus_plus, layer_cam]


def maps_by_formula(weight, features, g, size):
    """relu(Σ_k weight(A_k, g_k) · A_k), upsampled."""
    maps = np.zeros((len(features), *features.shape[2:]))
    for n, k in np.ndindex(features.shape[:2]):
        maps[n] += weight(features[n, k], g[n, k]) * features[n, k]
    return upsample(np.maximum(maps, 0), *size)


@pytest.mark.parametrize("layer", [None, "02-maxpool2d", "01-relu"])
def test_grad_cam_weights_each_channel_by_its_mean_gradient(layer, make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    features, g = feature_map_and_gradient(model, x, classes, layer)
    expected = maps_by_formula(lambda a, g: g.mean(), features, g, x.shape[2:])
    assert expected.max() > 0
    np.testing.assert_allclose(grad_cam(model, x, classes, layer=layer), expected, rtol=1e-10, atol=1e-12)


def test_grad_cam_before_global_average_pooling_is_the_class_activation_map(make_network, make_images):
    """With features A, their means and a linear layer w: relu(Σ_k w[c,k] · A_k) / (H' · W') (Zhou et al., 2016)."""
    model, (x, classes) = make_network("nested"), make_images()
    features = model.split_at(7)[0].predict(x)
    w = model.layers[-1].weight.value[classes]
    maps = np.maximum(np.einsum("nk,nkij->nij", w, features), 0) / features[0, 0].size
    np.testing.assert_allclose(grad_cam(model, x, classes), upsample(maps, *x.shape[2:]), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("layer", [None, "01-relu"])
def test_grad_cam_plus_plus_is_the_closed_form_for_an_exponential_score(layer, make_network, make_images):
    """With all factors exp(s) as published, which scale the map of each image."""
    model, (x, classes) = make_network("paper_like"), make_images()
    features, g = feature_map_and_gradient(model, x, classes, layer)
    exponential = np.exp(scores(model.predict(x), classes))

    def weight(n):
        def of_channel(a, g):
            first, second, third = (exponential[n] * g**order for order in (1, 2, 3))
            denominator = 2 * second + a.sum() * third
            alpha = np.divide(second, denominator, out=np.zeros_like(g), where=denominator != 0)
            return (alpha * np.maximum(first, 0)).sum()

        return of_channel

    expected = [maps_by_formula(weight(n), features[n : n + 1], g[n : n + 1], x.shape[2:])[0] for n in range(len(x))]
    a = grad_cam_plus_plus(model, x, classes, layer=layer)
    assert a.max() > 0
    np.testing.assert_allclose(a * exponential[:, None, None], expected, rtol=1e-10, atol=1e-12)


def test_grad_cam_plus_plus_is_finite_for_features_that_are_not_rectified(make_network, make_images):
    a = grad_cam_plus_plus(make_network("paper_like"), *make_images(), layer="03-conv2d")
    assert np.isfinite(a).all()


@pytest.mark.parametrize("layer", [None, "02-maxpool2d", "01-relu"])
def test_layer_cam_weights_each_position_by_its_positive_gradient(layer, make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    features, g = feature_map_and_gradient(model, x, classes, layer)
    expected = maps_by_formula(lambda a, g: np.maximum(g, 0), features, g, x.shape[2:])
    assert expected.max() > 0
    np.testing.assert_allclose(layer_cam(model, x, classes, layer=layer), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cam", CAMS)
def test_a_model_without_rectified_features_is_an_error(cam, make_network, make_images):
    with pytest.raises(InputError, match="expected a model with a ReLU whose output is a feature map"):
        cam(make_network("linear"), *make_images())


@pytest.mark.parametrize("cam", CAMS)
def test_a_layer_that_does_not_exist_is_an_error(cam, make_network, make_images):
    with pytest.raises(InputError, match=r"layer: expected one of 00-conv2d, .* found 'conv9'"):
        cam(make_network("paper_like"), *make_images(), layer="conv9")
