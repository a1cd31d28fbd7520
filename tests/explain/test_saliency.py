"""Saliency, and gradient × input."""

import numpy as np
import pytest

from tinydnn.explain import gradient_x_input, saliency


@pytest.mark.parametrize("name", ["paper_like", "nested", "regions", "smooth"])
def test_saliency_is_the_numeric_derivative_of_the_score(name, make_network, make_images, numeric_gradient):
    model, (x, classes) = make_network(name), make_images(2)
    expected = numeric_gradient(lambda x: model.predict(x)[np.arange(2), classes].sum(), x)
    a = saliency(model, x, classes)
    assert a.shape == x.shape
    np.testing.assert_allclose(a, expected, rtol=1e-5, atol=1e-8)


def test_gradient_x_input_is_the_product(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    np.testing.assert_array_equal(gradient_x_input(model, x, classes), x * saliency(model, x, classes))


def test_gradient_x_input_sums_to_the_score_of_a_linear_model_without_bias(make_network, make_images):
    model, (x, classes) = make_network("linear"), make_images()
    model.layers[-1].bias.value[:] = 0
    total = gradient_x_input(model, x, classes).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(total, model.predict(x)[np.arange(4), classes])
