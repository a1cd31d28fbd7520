"""The training step: gradients, then one update, and the results from before it."""

import numpy as np
import pytest

from tinydnn import SGD, Adam, ops
from tinydnn.models import baseline_cnn
from tinydnn.training.step import training_step

X = np.random.default_rng(0).standard_normal((6, 1, 16, 16)).astype(np.float32)
Y = np.array([0, 1, 2, 2, 1, 0])


def test_the_update_runs_once_after_the_gradients_are_set():
    model, gradients = baseline_cnn(image_size=16), []

    def update():
        gradients.append({name: parameter.grad for name, parameter in model.parameters().items()})

    training_step(model, update, X, Y)
    assert len(gradients) == 1
    for name, parameter in model.parameters().items():
        gradient = gradients[0][name]
        assert gradient.shape == parameter.value.shape, name
        assert gradient.any(), name
        assert parameter.grad is gradient, name


def test_loss_and_accuracy_are_those_from_before_the_update():
    model = baseline_cnn(image_size=16)
    model.layers[-2].rate = 0.0  # without dropout, prediction and training give the same logits
    logits = model.predict(X)
    expected = ops.softmax_cross_entropy(logits, Y)[0]
    optimizer = SGD(model.parameters(), lr=0.5)
    result = training_step(model, optimizer.step, X, Y)
    assert result.total_loss == result.image_loss == pytest.approx(expected, rel=1e-6)
    assert result.accuracy == (logits.argmax(axis=1) == Y).mean()
    after = ops.softmax_cross_entropy(model.predict(X), Y)[0]
    assert after != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    "make_optimizer",
    [lambda parameters: SGD(parameters, lr=0.05, momentum=0.9), lambda parameters: Adam(parameters, lr=0.01)],
    ids=["sgd", "adam"],
)
def test_the_step_gives_the_bits_of_the_lines_written_by_hand(make_optimizer):
    stepped, by_hand = baseline_cnn(image_size=16), baseline_cnn(image_size=16)
    optimizer, optimizer_by_hand = (make_optimizer(model.parameters()) for model in (stepped, by_hand))
    for _ in range(3):
        result = training_step(stepped, optimizer.step, X, Y)

        logits, backward = by_hand(X, training=True)
        loss, loss_backward = ops.softmax_cross_entropy(logits, Y)
        backward(loss_backward(), need_dx=False)
        optimizer_by_hand.step()

        assert result.total_loss == loss
    for name, value in by_hand.state().items():
        assert stepped.state()[name].tobytes() == value.tobytes(), name
