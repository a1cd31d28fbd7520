"""Fused layers compute what the single layers compute, and nothing is fused where an implementation is requested."""

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.layers import Conv2d, Flatten, Linear, MaxPool2d, ReLU, Sequential


def model(dtype, **pool):
    rng = np.random.default_rng(0)
    chain = Sequential(
        Conv2d(2, 4, 3, padding=1, rng=rng), ReLU(), MaxPool2d(2, **pool),
        Conv2d(4, 3, 3, padding=1, bias=False, rng=rng), ReLU(), MaxPool2d(2, **pool),
    )  # fmt: skip
    return chain.astype(dtype)


# Arguments of the model's two convolutions.
FIRST = np.ones((1, 2, 8, 8), np.float32), np.ones((4, 2, 3, 3), np.float32), None
SECOND = np.ones((1, 4, 4, 4), np.float32), np.ones((3, 4, 3, 3), np.float32), None


def run(chain, x):
    """The value, the gradients of x and of every parameter, and the implementations that ran."""
    with ops.trace() as calls:
        z, backward = chain(x, training=True)
        dx = backward(np.random.default_rng(1).standard_normal(z.shape).astype(z.dtype))
    grads = {name: parameter.grad for name, parameter in chain.parameters().items()}
    return {"z": z, "dx": dx, **grads}, [(call.operation, call.implementation) for call in calls]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-5)])
@pytest.mark.parametrize("size", [(12, 20), (13, 11)])
def test_values_and_gradients_are_those_of_the_single_layers(dtype, tolerance, size, fastest):
    x = np.random.default_rng(2).standard_normal((3, 2, *size)).astype(dtype)
    fused, fused_calls = run(model(dtype), x)
    with ops.use(conv2d="im2col"):
        single, single_calls = run(model(dtype), x)
    block = "conv2d_relu_maxpool2d"
    assert fused_calls == [(block, fastest(block, *arguments, padding=1)) for arguments in (FIRST, SECOND)]
    assert {name for name, _ in single_calls} == {"conv2d", "relu", "maxpool2d"}
    for name, array in single.items():
        assert fused[name].dtype == dtype, name
        assert np.abs(fused[name] - array).max() <= tolerance * np.abs(array).max(), name


@pytest.mark.parametrize("choice", [{"conv2d": "im2col"}, {"maxpool2d": "pairs"}, {"relu": "reference"}])
def test_a_requested_implementation_of_one_layer_prevents_fusion(choice):
    with ops.use(**choice):
        _, calls = run(model(np.float32), np.ones((1, 2, 8, 8), np.float32))
    assert "conv2d_relu_maxpool2d" not in dict(calls)
    assert choice.items() <= dict(calls).items()


def test_fusion_resumes_after_a_request_ends(fastest):
    with ops.use(conv2d="im2col"):
        pass
    _, calls = run(model(np.float32), np.ones((1, 2, 8, 8), np.float32))
    block = "conv2d_relu_maxpool2d"
    assert calls == [(block, fastest(block, *arguments, padding=1)) for arguments in (FIRST, SECOND)]


def test_overlapping_pooling_is_not_fused(fastest):
    x = np.random.default_rng(0).standard_normal((2, 2, 12, 12))
    overlapping, calls = run(model(np.float64, stride=1), x)
    assert "conv2d_relu_maxpool2d" not in dict(calls)
    assert dict(calls)["conv2d_relu"] == fastest("conv2d_relu", *FIRST, padding=1)
    with ops.use(conv2d="reference"):
        single, _ = run(model(np.float64, stride=1), x)
    assert all(np.allclose(overlapping[name], single[name], rtol=1e-12) for name in single)


def test_convolution_and_relu_are_fused_without_pooling(fastest):
    rng = np.random.default_rng(0)
    chain = Sequential(Conv2d(2, 4, 3, padding=1, rng=rng), ReLU(), Conv2d(4, 3, 3, stride=2, rng=rng), ReLU())
    x = rng.standard_normal((2, 2, 9, 8)).astype(np.float32)
    fused, calls = run(chain, x)
    with ops.use(relu="reference"):
        single, single_calls = run(chain, x)
    assert [name for name, _ in calls if name == "conv2d_relu"] == ["conv2d_relu"] * 2
    assert "conv2d_relu" not in dict(single_calls)
    for name, array in single.items():
        assert np.abs(fused[name] - array).max() <= 2e-5 * np.abs(array).max(), name


def test_fusion_works_anywhere_in_a_model():
    rng = np.random.default_rng(0)
    chain = Sequential(
        ReLU(), Conv2d(1, 2, 3, rng=rng), ReLU(), Conv2d(2, 2, 3, rng=rng), ReLU(), MaxPool2d(2), Flatten(),
        Linear(8, 2, rng=rng),
    )  # fmt: skip
    _, calls = run(chain, np.ones((1, 1, 8, 8), np.float32))
    nested = ("conv2d", "relu")  # recorded where the reference of a fused operation runs
    outer = [name for name, _ in calls[1:] if name not in nested]
    assert [calls[0][0], *outer] == ["relu", "conv2d_relu", "conv2d_relu_maxpool2d", "linear"]


class LeakyReLU(ReLU):
    """A subclass of an activation layer."""

    def __call__(self, x, *, training=False):
        return np.where(x > 0, x, 0.1 * x), lambda dz: np.where(x > 0, dz, 0.1 * dz)


class NegatedConv2d(Conv2d):
    """A subclass of the convolution layer."""

    def __call__(self, x, *, training=False):
        z, backward = super().__call__(x, training=training)
        return -z, lambda dz, need_dx=True: backward(-dz, need_dx=need_dx)


class DoubledMaxPool2d(MaxPool2d):
    """A subclass of the pooling layer."""

    def __call__(self, x, *, training=False):
        z, backward = super().__call__(x, training=training)
        return 2 * z, lambda dz: backward(2 * dz)


@pytest.mark.parametrize(
    "kinds",
    [(Conv2d, LeakyReLU, MaxPool2d), (NegatedConv2d, ReLU, MaxPool2d), (Conv2d, ReLU, DoubledMaxPool2d)],
    ids=["activation", "convolution", "pooling"],
)
def test_subclasses_of_layers_are_not_fused(kinds):
    convolution, activation, pooling = kinds
    layers = convolution(1, 2, 3, rng=np.random.default_rng(0)), activation(), pooling(2)
    x = np.random.default_rng(1).standard_normal((2, 1, 8, 8)).astype(np.float32)
    value = x
    for layer in layers:
        value, _ = layer(value)
    assert np.array_equal(Sequential(*layers)(x)[0], value)
