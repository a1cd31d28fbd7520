"""What is frozen is computed, and nothing more."""

import numpy as np
import pytest

from tinydnn import SGD, ops
from tinydnn.errors import InputError
from tinydnn.layers import BatchNorm2d, Conv2d, Dropout, Flatten, GlobalAvgPool2d, Linear, MaxPool2d, ReLU, Sequential


def model():
    draw = np.random.default_rng(0)
    layers = (
        Conv2d(1, 2, 3, padding=1, rng=draw), ReLU(), Conv2d(2, 3, 3, padding=1, rng=draw), BatchNorm2d(3), ReLU(),
        MaxPool2d(2), Flatten(), Linear(12, 4, rng=draw), Dropout(0.5, rng=draw), Linear(4, 2, rng=draw),
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


def test_frozen_layers_and_those_between_are_the_front():
    chain = model()
    assert chain.frozen_front() == 0
    chain.freeze("features.0")
    assert chain.frozen_front() == 2  # the ReLU after it learns nothing
    chain.freeze("features")
    assert chain.frozen_front() == 7  # pooling and flattening too
    chain.freeze("head.1")
    assert chain.frozen_front() == 8  # but a dropout is random
    chain.unfreeze(from_layer="features.2")
    assert chain.frozen_front() == 2
    chain.unfreeze()
    assert chain.frozen_front() == 0


def test_a_step_moves_what_is_not_frozen_and_computes_no_gradient_for_what_is():
    chain = model()
    chain.freeze("features")
    before = {name: value.copy() for name, value in chain.state().items()}
    step(chain, SGD(chain.parameters(), lr=0.1, momentum=0.9))
    for name, parameter in chain.parameters().items():
        frozen = "features" in name
        assert (parameter.grad is None) == frozen, name
        assert np.array_equal(parameter.value, before[name]) == frozen, name
    for name, buffer in chain.buffers().items():  # a frozen normalisation keeps its running statistics
        assert np.array_equal(buffer.value, before[name])


def test_the_frozen_front_makes_in_training_what_it_makes_in_evaluation():
    chain = model()
    chain.freeze("features")
    front, rest = chain.split_at(chain.frozen_front())
    features = front.predict(x())
    for generator in chain.generators().values():
        generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    whole, _ = chain(x(), training=True)
    for generator in chain.generators().values():
        generator.bit_generator.state = np.random.default_rng(5).bit_generator.state
    assert np.array_equal(whole, rest(features, training=True)[0])


def test_nothing_is_kept_of_the_frozen_front():
    """A pass holds on to what its backward function needs: with the front frozen, not to the front's pictures."""
    chain = model()
    chain.freeze("features")
    _, backward = chain(x(), training=True)
    held = [cell.cell_contents for cell in backward.__closure__]
    steps = next(one for one in held if isinstance(one, list))
    assert [index for index, _ in steps] == [7, 8, 9]


def test_the_gradient_of_the_picture_is_refused_where_the_front_kept_nothing():
    chain = model()
    chain.freeze("features")
    z, backward = chain(x(), training=True)
    with pytest.raises(ValueError, match="expected need_dx=False, because the front is frozen"):
        backward(z)
    z, backward = chain(x())  # in evaluation all is kept
    assert backward(z).shape == x().shape


def test_gradients_of_what_learns_are_those_of_the_unfrozen_chain():
    frozen, free = model(), model()
    frozen.freeze("features.1")
    for chain in (frozen, free):
        chain.layers[3].momentum = 0.0
        z, backward = chain(x(), training=True)
        backward(np.ones_like(z), need_dx=False)
    for (name, one), other in zip(frozen.parameters().items(), free.parameters().values(), strict=True):
        if one.lr_scale:
            assert np.array_equal(one.grad, other.grad), name


def test_layers_learn_at_rates_of_their_own():
    slow, fast = model(), model()
    slow.unfreeze(lr_scale=0.5)
    before = {name: one.value.copy() for name, one in slow.parameters().items()}
    for chain in (slow, fast):
        step(chain, SGD(chain.parameters(), lr=0.1))
    for name, was in before.items():
        halved, whole = (was - chain.parameters()[name].value for chain in (slow, fast))
        np.testing.assert_allclose(halved, whole / 2, rtol=1e-4, atol=1e-7)


def test_an_unknown_layer_is_refused_by_name():
    with pytest.raises(InputError, match=r"layer: expected one of features.0, features.1.*found 'block5'"):
        model().freeze("block5")


def test_names_are_those_that_were_given():
    assert [name for name, _ in model().named_layers()][:2] == ["00-features.0", "01-features.1"]
    with pytest.raises(ValueError, match="names: expected one for each of 1 layers, found 2"):
        Sequential(ReLU(), names=["a", "b"])


def test_a_chain_without_frozen_parameters_has_no_front():
    assert Sequential(ReLU(), GlobalAvgPool2d()).frozen_front() == 0
