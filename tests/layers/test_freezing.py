"""Frozen layers: the constant prefix, the layers that still learn, and learning-rate scales."""

import numpy as np
import pytest

from tinydnn import SGD, ops
from tinydnn.errors import InputError
from tinydnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential


def model():
    rng = np.random.default_rng(0)
    layers = (
        Conv2d(1, 2, 3, padding=1, rng=rng), ReLU(), Conv2d(2, 3, 3, padding=1, rng=rng), BatchNorm2d(3), ReLU(),
        MaxPool2d(2), Flatten(), Linear(12, 4, rng=rng), Dropout(0.5, rng=rng), Linear(4, 2, rng=rng),
    )  # fmt: skip
    names = [*(f"features.{k}" for k in range(6)), *(f"head.{k}" for k in range(4))]
    return Sequential(*layers, names=names, input_shape=(1, 4, 4))


def x(count=3):
    return np.random.default_rng(1).standard_normal((count, 1, 4, 4)).astype(np.float32)


def step(chain, optimizer):
    logits, backward = chain(x(), training=True)
    _, loss_backward = ops.softmax_cross_entropy(logits, np.array([0, 1, 1]))
    backward(loss_backward(), need_dx=False)
    optimizer.step()


def test_frozen_layers_and_those_between_form_the_frozen_prefix():
    chain = model()
    assert chain.frozen_prefix() == 0
    chain.freeze("features.0")
    assert chain.frozen_prefix() == 2  # the ReLU after it has no parameters
    chain.freeze("features")
    assert chain.frozen_prefix() == 7  # pooling and flattening too
    chain.freeze("head.1")
    assert chain.frozen_prefix() == 8  # but dropout is random
    chain.unfreeze(from_layer="features.2")
    assert chain.frozen_prefix() == 2
    chain.unfreeze()
    assert chain.frozen_prefix() == 0


def test_frozen_parameters_get_no_gradient_and_do_not_move():
    chain = model()
    chain.freeze("features")
    before = {name: value.copy() for name, value in chain.state().items()}
    step(chain, SGD(chain.parameters(), lr=0.1, momentum=0.9))
    for name, parameter in chain.parameters().items():
        frozen = "features" in name
        assert (parameter.grad is None) == frozen, name
        assert np.array_equal(parameter.value, before[name]) == frozen, name
    for name, buffer in chain.buffers().items():  # frozen batch norm leaves its running statistics alone
        assert np.array_equal(buffer.value, before[name])


def test_the_frozen_prefix_runs_in_evaluation_mode_during_training():
    chain = model()
    chain.freeze("features")
    prefix, rest = chain.split_at(chain.frozen_prefix())
    features = prefix.predict(x())
    for generator in chain.generators().values():
        generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    whole, _ = chain(x(), training=True)
    for generator in chain.generators().values():
        generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    assert np.array_equal(whole, rest(features, training=True)[0])


def test_the_backward_closure_holds_nothing_of_the_frozen_prefix():
    """Otherwise the activations of the frozen prefix would occupy memory until the backward pass."""
    chain = model()
    chain.freeze("features")
    _, backward = chain(x(), training=True)
    contents = [cell.cell_contents for cell in backward.__closure__]
    layer_backwards = next(content for content in contents if isinstance(content, list))
    assert [index for index, _ in layer_backwards] == [7, 8, 9]


def test_a_frozen_prefix_has_no_gradient_of_the_image():
    chain = model()
    chain.freeze("features")
    z, backward = chain(x(), training=True)
    with pytest.raises(ValueError, match="expected need_dx=False, because the frozen prefix has no backward pass"):
        backward(z)
    z, backward = chain(x())  # in evaluation the prefix has a backward pass too
    assert backward(z).shape == x().shape


def test_gradients_of_learning_layers_do_not_depend_on_freezing():
    frozen, free = model(), model()
    frozen.freeze("features.1")
    for chain in (frozen, free):
        chain.layers[3].momentum = 0.0
        z, backward = chain(x(), training=True)
        backward(np.ones_like(z), need_dx=False)
    for (name, parameter), expected in zip(frozen.parameters().items(), free.parameters().values(), strict=True):
        if parameter.lr_scale:
            assert np.array_equal(parameter.grad, expected.grad), name


def test_lr_scale_scales_the_steps_of_a_layer():
    slow, fast = model(), model()
    slow.unfreeze(lr_scale=0.5)
    before = {name: parameter.value.copy() for name, parameter in slow.parameters().items()}
    for chain in (slow, fast):
        step(chain, SGD(chain.parameters(), lr=0.1))
    for name, value in before.items():
        halved, whole = (value - chain.parameters()[name].value for chain in (slow, fast))
        np.testing.assert_allclose(halved, whole / 2, rtol=1e-4, atol=1e-7)


def test_an_unknown_layer_is_refused_and_the_known_ones_are_named():
    with pytest.raises(InputError, match=r"layer: expected one of features, head, features.0, .*found 'block5'"):
        model().freeze("block5")


def test_given_names_name_the_layers():
    assert [name for name, _ in model().named_layers()][:2] == ["00-features.0", "01-features.1"]
    with pytest.raises(ValueError, match="names: expected one for each of 1 layers, found 2"):
        Sequential(ReLU(), names=["a", "b"])


def test_a_chain_without_frozen_parameters_has_no_frozen_prefix():
    assert Sequential(ReLU(), GlobalAvgPool2d()).frozen_prefix() == 0
