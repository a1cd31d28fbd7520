"""SmoothGrad: the mean gradient over noisy copies."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import saliency, smooth_grad
from tinydnn.explain.copies import BATCH


def test_it_is_the_mean_of_the_gradients_at_noisy_copies(make_network, make_images):
    model, (x, classes) = make_network("nested"), make_images()
    rng, expected = np.random.default_rng(3), np.zeros_like(x)
    for _ in range(5):
        epsilon = rng.standard_normal(x.shape[1:])
        noisy = np.stack([image + 0.2 * (image.max() - image.min()) * epsilon for image in x])
        expected += saliency(model, noisy, classes) / 5
    np.testing.assert_allclose(smooth_grad(model, x, classes, samples=5, noise=0.2, seed=3), expected, rtol=1e-10)


def test_a_seed_gives_the_same_bits_and_another_seed_other_noise(make_network, make_images):
    model, (x, classes) = make_network("paper_like"), make_images()
    first, again, other = (smooth_grad(model, x, classes, samples=4, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


def test_the_noise_follows_the_range_of_each_image(make_network, make_images):
    """Without biases the gradient of this network is the same at x and at 10 x, so the explanation is, too."""
    model, (x, classes) = make_network("paper_like"), make_images()
    for name, parameter in model.parameters().items():
        if name.endswith("bias"):
            parameter.value[:] = 0
    a, b = smooth_grad(model, x, classes, samples=4), smooth_grad(model, 10 * x, classes, samples=4)
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_more_samples_than_a_batch_holds_are_averaged_too(make_network, make_images):
    model, (x, classes) = make_network("linear"), make_images(1)
    np.testing.assert_allclose(smooth_grad(model, x, classes, samples=BATCH + 5), saliency(model, x, classes))


def test_an_image_without_contrast_is_explained_by_its_gradient(make_network):
    model, x, classes = make_network("paper_like"), np.full((1, 2, 12, 16), 0.3), np.array([1])
    np.testing.assert_allclose(smooth_grad(model, x, classes, samples=3), saliency(model, x, classes), rtol=1e-12)


@pytest.mark.parametrize("options", [{"samples": 0}, {"noise": 0.0}, {"noise": float("nan")}])
def test_no_sample_or_no_noise_is_an_error(options, make_network, make_images):
    [name] = options
    with pytest.raises(InputError, match=f"smooth-grad: {name}: expected"):
        smooth_grad(make_network("linear"), *make_images(), **options)
