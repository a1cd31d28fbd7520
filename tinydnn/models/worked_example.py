"""The paper's worked example: one step of learning in a 2-3-1 network, small enough for pencil and paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers import Linear, Sequential, Sigmoid
from tinydnn.optim import SGD

X = (0.5, 0.8)
LABEL = 1.0
PREDICTION = 0.7  # what the weights are chosen for
LEARNING_RATE = 0.1
LATER = (10, 100, 1000, 10000)


@dataclass(frozen=True)
class Numbers:
    """One number for each weight and bias: the values, or their gradients.

    hidden: (3, 2), row k for hidden unit k. hidden_bias: (3,). output: (3,). output_bias: a number.
    """

    hidden: Array
    hidden_bias: Array
    output: Array
    output_bias: float


@dataclass(frozen=True)
class WorkedExample:
    """Every number of one step, in the order in which a person works it out.

    Forward: `hidden_sum` z and `hidden` h = σ(z), (3,); `output_sum` s and `prediction` ŷ = σ(s); `error`
    E = (y − ŷ)². Backward: `output_gradient` ∂E/∂s, `hidden_gradient` ∂E/∂z (3,), `gradients`. Then the weights
    after the step, the prediction and the error with them, and the prediction after so many steps in all.
    """

    x: Array
    label: float
    learning_rate: float
    weights: Numbers
    hidden_sum: Array
    hidden: Array
    output_sum: float
    prediction: float
    error: float
    output_gradient: float
    hidden_gradient: Array
    gradients: Numbers
    updated: Numbers
    prediction_after: float
    error_after: float
    later: Mapping[int, float]


def worked_example() -> WorkedExample:
    """Work the example with the layers, operations and optimiser that train any model, in float64.

    The weights and hidden biases are round numbers. The output bias is what makes the prediction 0.7.

    Source: Hou and Zhang, worked example.
    """
    x, label = np.array([X]), np.array([[LABEL]])
    model = _network(x)
    into_hidden, activate_hidden, into_output, activate_output = model.layers
    weights = _numbers(model.state())

    hidden_sum, into_hidden_backward = into_hidden(x)
    hidden, activate_hidden_backward = activate_hidden(hidden_sum)
    output_sum, into_output_backward = into_output(hidden)
    prediction, activate_output_backward = activate_output(output_sum)
    error, error_backward = ops.mean_squared_error(prediction, label)

    output_gradient = activate_output_backward(error_backward())
    hidden_gradient = activate_hidden_backward(into_output_backward(output_gradient))
    into_hidden_backward(hidden_gradient, need_dx=False)
    gradients = _numbers({name: one.grad for name, one in model.parameters().items() if one.grad is not None})

    optimizer = SGD(model.parameters(), lr=LEARNING_RATE)
    optimizer.step()
    updated = _numbers(model.state())
    prediction_after = model.predict(x)
    error_after, _ = ops.mean_squared_error(prediction_after, label)

    later = {}
    while optimizer.steps < max(LATER):
        learned, backward = model(x, training=True)
        _, error_backward = ops.mean_squared_error(learned, label)
        backward(error_backward(), need_dx=False)
        optimizer.step()
        if optimizer.steps in LATER:
            later[optimizer.steps] = model.predict(x).item()

    return WorkedExample(
        x[0], LABEL, LEARNING_RATE, weights,
        hidden_sum[0], hidden[0], output_sum.item(), prediction.item(), error.item(),
        output_gradient.item(), hidden_gradient[0], gradients,
        updated, prediction_after.item(), error_after.item(), later,
    )  # fmt: skip


def _network(x: Array) -> Sequential:
    rng = np.random.default_rng(0)  # for numbers that are replaced at once
    into_hidden, into_output = Linear(2, 3, rng=rng), Linear(3, 1, rng=rng)
    model = Sequential(into_hidden, Sigmoid(), into_output, Sigmoid())
    model.astype(np.float64)
    into_hidden.weight.value = np.array([[0.2, -0.4], [0.6, 0.3], [-0.5, 0.8]])
    into_hidden.bias.value = np.array([0.1, -0.2, 0.3])
    into_output.weight.value = np.array([[0.5, -0.3, 0.8]])
    # σ(s) = 0.7 where s = log(0.7 / 0.3); the bias makes up for what the hidden units give.
    hidden = Sequential(*model.layers[:2]).predict(x)
    without_bias = (hidden @ into_output.weight.value.T)[0]
    into_output.bias.value = log(PREDICTION / (1 - PREDICTION)) - without_bias
    return model


def _numbers(arrays: Mapping[str, Array]) -> Numbers:
    """Copies of the four arrays of the network, which come in the order of its layers."""
    hidden, hidden_bias, output, output_bias = (array.copy() for array in arrays.values())
    return Numbers(hidden, hidden_bias, output[0], output_bias.item())
