"""The votes of a region network."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import regions
from tinydnn.explain.upsample import upsample
from tinydnn.layers import Conv2d, RegionVote, Sequential


def test_the_votes_of_a_class_sum_to_its_logit(make_images):
    rng = np.random.default_rng(0)
    model = Sequential(Conv2d(2, 4, 1, rng=rng), RegionVote(), input_shape=(2, 12, 16)).astype(np.float64)
    x, classes = make_images()
    logits = np.log(0.01 + regions(model, x, classes).sum(axis=(1, 2)))
    np.testing.assert_allclose(logits, model.predict(x)[np.arange(4), classes], rtol=1e-12)


def test_the_map_is_the_upsampled_probability_of_the_class(make_network, make_images):
    model, (x, classes) = make_network("regions"), make_images()
    m = Sequential(*model.layers[:-1]).predict(x)
    p = np.exp(m) / np.exp(m).sum(axis=1, keepdims=True)
    expected = np.stack([p[n, k + 1] for n, k in enumerate(classes)])
    assert expected.shape == (4, 6, 8)
    np.testing.assert_allclose(regions(model, x, classes), upsample(expected, 12, 16), rtol=1e-12)


def test_another_network_is_an_error(make_network, make_images):
    with pytest.raises(InputError, match="expected a region network, whose last layer is RegionVote, found Linear"):
        regions(make_network("paper_like"), *make_images())
