"""Activation maximisation."""

import numpy as np
import pytest

from tinydnn.errors import InputError
from tinydnn.explain import layers_up_to, maximise
from tinydnn.explain.maximise import DECAY, SMOOTHNESS, _penalty_gradient
from tinydnn.layers import Flatten, Linear, Sequential
from tinydnn.models import baseline_cnn, vit_tiny
from tinydnn.models.imagenet import NETWORKS

BLACK, WHITE = np.array([-1.0], np.float32), np.array([3.0], np.float32)


def test_the_score_of_every_class_and_channel_rises():
    model = baseline_cnn(image_size=16)
    for index in range(3):
        result = maximise(model, index, black=BLACK, white=WHITE, steps=20)
        assert result.scores[-1] > result.scores[0]
    channel = maximise(layers_up_to(model, "03-conv2d"), 7, black=BLACK, white=WHITE, steps=20)
    assert channel.scores[-1] > channel.scores[0]


def test_the_image_of_a_linear_score_has_the_signs_of_its_weights():
    linear = Linear(64, 2, rng=np.random.default_rng(0))
    model = Sequential(Flatten(), linear, input_shape=(1, 8, 8))
    linear.weight.value[0] = np.repeat([[1.0, -1.0]], 4, axis=1).repeat(8, axis=0).ravel()  # left and right half
    image = maximise(model, 0, black=BLACK, white=WHITE, steps=100).image
    assert image[:, :3].min() > 0.6
    assert image[:, 5:].max() < 0.4


def test_the_result_is_a_grey_image_of_the_dtype_of_the_network():
    model = NETWORKS["squeezenet1_1"].whole(image_size=48, classes=4)
    black, white = np.full(3, -100, np.float32), np.full(3, 150, np.float32)
    result = maximise(model, 3, black=black, white=white, steps=3)
    assert (result.image.shape, result.image.dtype) == ((48, 48), np.float32)
    assert 0 <= result.image.min() <= result.image.max() <= 1
    assert len(result.scores) == 4


def test_a_layer_of_tokens_has_no_channels():
    model = vit_tiny(image_size=32)
    with pytest.raises(InputError, match=r"layer: expected an output .* found one of shape \(1, 4, 64\)"):
        maximise(layers_up_to(model, "01-tokens"), 0, black=BLACK, white=WHITE, steps=1)


def test_the_same_seed_gives_the_same_image():
    model = baseline_cnn(image_size=16)
    first, again, other = (maximise(model, 0, black=BLACK, white=WHITE, steps=5, seed=s).image for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_the_gradient_of_a_shifted_image_is_shifted_back():
    linear = Linear(64 * 64, 1, rng=np.random.default_rng(0))
    model = Sequential(Flatten(), linear, input_shape=(1, 64, 64))
    first, second = (maximise(model, 0, black=BLACK, white=WHITE, steps=steps).image for steps in (0, 1))
    moved = second - first + _penalty_gradient(first)
    rng = np.random.default_rng(0)
    rng.standard_normal((64, 64))
    shift = rng.integers(-2, 3, (1, 2))[0]
    assert shift.any()
    expected = np.roll(linear.weight.value.reshape(64, 64), -shift, axis=(0, 1))
    assert np.corrcoef(moved.ravel(), expected.ravel())[0, 1] > 0.999


def test_the_penalty_is_the_gradient_of_norm_and_total_variation():
    rng = np.random.default_rng(0)
    p, direction, step = rng.random((5, 7)), rng.standard_normal((5, 7)), 1e-5

    def penalty(p):
        variation = sum((np.diff(p, axis=axis) ** 2).sum() for axis in (0, 1))
        return DECAY / 2 * ((p - 0.5) ** 2).sum() + SMOOTHNESS / 2 * variation

    numeric = (penalty(p + step * direction) - penalty(p - step * direction)) / (2 * step)
    assert (_penalty_gradient(p) * direction).sum() == pytest.approx(numeric, rel=1e-8)


def test_a_score_without_gradient_leaves_the_penalties_alone():
    linear = Linear(64, 2, rng=np.random.default_rng(0))
    linear.weight.value[...] = 0
    model = Sequential(Flatten(), linear, input_shape=(1, 8, 8))
    image = maximise(model, 0, black=BLACK, white=WHITE, steps=50).image
    assert np.isfinite(image).all()
    assert abs(image - 0.5).max() < 0.1


def test_the_gradients_of_the_parameters_stay_as_they_were():
    model = baseline_cnn(image_size=16)
    maximise(model, 0, black=BLACK, white=WHITE, steps=2)
    assert all(parameter.grad is None for parameter in model.parameters().values())


@pytest.mark.parametrize("index", [-1, 3])
def test_an_output_that_does_not_exist_is_refused(index):
    with pytest.raises(InputError, match=f"channel: expected 0 to 2, found {index}"):
        maximise(baseline_cnn(image_size=16), index, black=BLACK, white=WHITE, steps=1)
