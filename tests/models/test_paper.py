"""The models trained from scratch: their layers, seeds, and the dtypes of a training step."""

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.errors import InputError
from tinydnn.models import MODELS, baseline_cnn, batchnorm_cnn
from tinydnn.ops.operation import Operation


def kinds(model):
    return [type(layer).__name__ for layer in model.layers]


def test_the_baseline_has_four_blocks_and_two_fully_connected_layers():
    model = baseline_cnn()
    assert kinds(model) == 4 * ["Conv2d", "ReLU", "MaxPool2d"] + ["Flatten", "Linear", "ReLU", "Dropout", "Linear"]
    convolutions = [layer for layer in model.layers if type(layer).__name__ == "Conv2d"]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride, c.padding) for c in convolutions] == [
        (1, 16, 3, 1, 1), (16, 32, 3, 1, 1), (32, 64, 3, 1, 1), (64, 128, 3, 1, 1)
    ]  # fmt: skip
    assert [layer.window for layer in model.layers if type(layer).__name__ == "MaxPool2d"] == [2, 2, 2, 2]
    assert [(layer.in_features, layer.out_features) for layer in (model.layers[13], model.layers[16])] == [
        (128 * 16 * 16, 128), (128, 3)
    ]  # fmt: skip
    assert model.layers[15].rate == 0.5
    assert model.input_shape == (1, 256, 256)


def test_batchnorm_cnn_pools_globally_and_its_convolutions_have_no_bias():
    model = batchnorm_cnn()
    assert kinds(model) == 4 * ["Conv2d", "BatchNorm2d", "ReLU", "MaxPool2d"] + ["GlobalAvgPool2d", "Dropout", "Linear"]
    assert not any(name.endswith("conv2d/bias") for name in model.parameters())


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(("size", "channels", "classes"), [(16, 1, 3), (17, 1, 2), (47, 3, 5)])
def test_logits_have_one_column_per_class_at_any_image_size(name, size, channels, classes):
    model = MODELS[name](image_size=size, in_channels=channels, classes=classes)
    assert model.predict(np.zeros((2, channels, size, size), np.float32)).shape == (2, classes)


@pytest.mark.parametrize("name", MODELS)
def test_an_image_too_small_for_the_poolings_is_refused(name):
    reason = "the side of a patch" if name == "vit-tiny" else "4 poolings"
    with pytest.raises(InputError, match=f"image_size: expected at least 16 pixels for {reason}, found 15"):
        MODELS[name](image_size=15)


@pytest.mark.parametrize("name", MODELS)
def test_the_seed_determines_weights_and_dropout(name):
    def state_and_training_logits(seed):
        model = MODELS[name](image_size=16, seed=seed)
        x = np.random.default_rng(9).standard_normal((4, 1, 16, 16)).astype(np.float32)
        return model.state(), model(x, training=True)[0]

    (state, z), (same_state, same_z), (other_state, _) = map(state_and_training_logits, (1, 1, 2))
    assert all(np.array_equal(state[key], same_state[key]) for key in state)
    assert np.array_equal(z, same_z)
    assert not np.array_equal(state["00-conv2d/weight"], other_state["00-conv2d/weight"])


@pytest.fixture
def returned_dtypes(monkeypatch):
    """(operation, dtype) of every array that operations and their backward functions return."""
    dtypes = []
    call = Operation.__call__

    def record(name, results):
        arrays = results if isinstance(results, tuple) else (results,)
        dtypes.extend((name, array.dtype) for array in arrays if array is not None)

    def recording(self, *args, **kwargs):
        value, backward = call(self, *args, **kwargs)
        record(self.name, value)

        def recording_backward(*args, **kwargs):
            gradients = backward(*args, **kwargs)
            record(f"{self.name} backward", gradients)
            return gradients

        return value, recording_backward

    monkeypatch.setattr(Operation, "__call__", recording)
    return dtypes


@pytest.mark.parametrize(
    "implementations", [{}, {"conv2d": "reference", "maxpool2d": "reference"}, {"conv2d": "im2col"}]
)
@pytest.mark.parametrize("optimizer", ["sgd", "nesterov", "adam"])
@pytest.mark.parametrize("name", MODELS)
def test_a_training_step_stays_in_float32(name, optimizer, implementations, returned_dtypes):
    model = MODELS[name](image_size=16)
    parameters = model.parameters()
    optimizers = {
        "sgd": lambda: SGD(parameters, lr=0.1, momentum=0.9, weight_decay=0.01),
        "nesterov": lambda: SGD(parameters, lr=0.1, momentum=0.9, nesterov=True),
        "adam": lambda: Adam(parameters, lr=0.1, weight_decay=0.01),
    }
    optimizer = optimizers[optimizer]()
    x = np.random.default_rng(0).standard_normal((4, 1, 16, 16)).astype(np.float32)
    y = np.array([0, 1, 2, 1])
    with ops.use(**implementations):
        for _ in range(2):
            logits, backward = model(x, training=True)
            loss, loss_backward = ops.softmax_cross_entropy(logits, y, label_smoothing=0.1)
            backward(loss_backward(), need_dx=False)
            optimizer.step()
        model.predict(x)
    assert len(returned_dtypes) > 20
    assert {dtype for _, dtype in returned_dtypes} == {np.dtype(np.float32)}, returned_dtypes
    assert loss.dtype == np.float32
    assert {array.dtype for array in model.state().values()} == {np.dtype(np.float32)}
    assert {parameter.grad.dtype for parameter in parameters.values()} == {np.dtype(np.float32)}
    averages = [array for arrays in optimizer.state.values() for array in arrays.values()]
    assert {array.dtype for array in averages} <= {np.dtype(np.float32)}


def test_softmax_of_float32_logits_is_float32():
    assert ops.softmax(np.ones((2, 3), np.float32)).dtype == np.float32
