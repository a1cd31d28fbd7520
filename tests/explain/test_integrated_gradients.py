"""Integrated gradients and their completeness."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import completeness_error, integrated_gradients, saliency


def score_changes(model, x, baseline, classes):
    rows = np.arange(len(x))
    return (model.predict(x) - model.predict(np.broadcast_to(baseline, x.shape)))[rows, classes]


BASELINES = {
    "zeros": 0.0,
    "a number": -0.7,
    "an image": np.random.default_rng(1).standard_normal((2, 12, 16)),
    "an image for each": np.random.default_rng(2).standard_normal((4, 2, 12, 16)),
    "a value for each channel": np.array([0.5, -1.0])[:, None, None],
}


@pytest.mark.parametrize("baseline", BASELINES.values(), ids=BASELINES)
def test_the_attributions_of_a_smooth_network_sum_to_the_change_of_the_score(baseline, make_network, make_images):
    model, (x, classes) = make_network("smooth"), make_images()
    a = integrated_gradients(model, x, classes, steps=16, baseline=baseline)
    np.testing.assert_allclose(a.sum(axis=(1, 2, 3)), score_changes(model, x, baseline, classes), rtol=1e-9)
    assert np.abs(completeness_error(model, x, classes, a, baseline=baseline)).max() < 1e-10


@pytest.mark.parametrize("name", ["paper_like", "nested", "regions"])
def test_the_completeness_error_falls_with_the_number_of_steps(name, make_network, make_images):
    model, (x, classes) = make_network(name), make_images()
    errors = []
    for steps in (1, 32, 1024):
        a = integrated_gradients(model, x, classes, steps=steps)
        errors.append(np.abs(completeness_error(model, x, classes, a)).max())
    change = np.abs(score_changes(model, x, 0.0, classes)).max()
    assert errors[0] > 4 * errors[1] > 16 * errors[2]
    assert errors[1] < 0.02 * change


def test_the_completeness_error_is_the_sum_less_the_change_of_the_score(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    a = np.random.default_rng(0).standard_normal(x.shape)
    expected = a.sum(axis=(1, 2, 3)) - score_changes(model, x, 0.5, classes)
    np.testing.assert_allclose(completeness_error(model, x, classes, a, baseline=0.5), expected)


def test_one_step_is_the_gradient_halfway_times_the_difference(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    a = integrated_gradients(model, x, classes, steps=1, baseline=1.0)
    np.testing.assert_allclose(a, (x - 1) * saliency(model, (x + 1) / 2, classes), rtol=1e-12)


def test_a_pixel_that_equals_the_baseline_has_no_share(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    x[:, 0, 2:5] = 0
    a = integrated_gradients(model, x, classes, steps=4)
    assert not a[:, 0, 2:5].any()
    assert a[:, 1, 2:5].all()


def test_the_bits_are_the_same_however_many_steps_run_at_once(make_network, make_images, monkeypatch):
    model, (x, classes) = make_network("smooth", np.float32), make_images(1, np.float32)
    results = []
    for batch in (1, 7, 32):
        monkeypatch.setattr("tinydnn.explain.copies.BATCH", batch)
        results.append(integrated_gradients(model, x, classes, steps=9))
    np.testing.assert_allclose(results[0], results[1], rtol=1e-5)
    np.testing.assert_allclose(results[0], results[2], rtol=1e-5)


@pytest.mark.parametrize("baseline", [np.zeros((2, 12, 15)), np.zeros(3), np.zeros((1, 4, 2, 12, 16))])
def test_a_baseline_of_another_shape_is_an_error(baseline, make_network, make_images):
    with pytest.raises(InputError, match=r"baseline: expected a shape that fits \(4, 2, 12, 16\), found"):
        integrated_gradients(make_network("linear"), *make_images(), baseline=baseline)


def test_no_step_is_an_error(make_network, make_images):
    with pytest.raises(InputError, match="integrated-gradients: steps: expected at least 1, found 0"):
        integrated_gradients(make_network("linear"), *make_images(), steps=0)
