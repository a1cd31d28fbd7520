"""The paper's worked example: one step of gradient descent in a 2-3-1 network, small enough for pencil and paper."""

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
PREDICTION = 0.7  # the output bias is chosen to give it
LEARNING_RATE = 0.1
LATER = (10, 100, 1000, 10000)


@dataclass(frozen=True)
class Parameters:
    """The weights and biases of the network, or their gradients.

    hidden: (3, 2), row k for hidden unit k. hidden_bias: (3,). output: (3,). output_bias: a scalar.
    """

    hidden: Array
    hidden_bias: Array
    output: Array
    output_bias: float


@dataclass(frozen=True)
class WorkedExample:
    """Every value of one step, in the order of the computation.

    Forward: `hidden_sum` z and `hidden` h = σ(z), (3,); `output_sum` s and `prediction` ŷ = σ(s); `error`
    E = (y − ŷ)². Backward: `output_gradient` ∂E/∂s, `hidden_gradient` ∂E/∂z (3,), `gradients`. After the step: the
    weights `updated`, the prediction and the error with them. later: the prediction by number of steps.
    """

    x: Array
    label: float
    learning_rate: float
    weights: Parameters
    hidden_sum: Array
    hidden: Array
    output_sum: float
    prediction: float
    error: float
    output_gradient: float
    hidden_gradient: Array
    gradients: Parameters
    updated: Parameters
    prediction_after: float
    error_after: float
    later: Mapping[int, float]


def worked_example() -> WorkedExample:
    """Compute the example in float64 with the layers, operations and optimizer that train any model.

    The weights and hidden biases are round numbers. The output bias is chosen so that the first prediction is 0.7.

    Source: Hou and Zhang, worked example.
    """
    x, label = np.array([X]), np.array([[LABEL]])
    model = _network(x)
    into_hidden, activate_hidden, into_output, activate_output = model.layers
    weights = _copy(model.state())

    hidden_sum, into_hidden_backward = into_hidden(x)
    hidden, activate_hidden_backward = activate_hidden(hidden_sum)
    output_sum, into_output_backward = into_output(hidden)
    prediction, activate_output_backward = activate_output(output_sum)
    error, error_backward = ops.mean_squared_error(prediction, label)

    output_gradient = activate_output_backward(error_backward())
    hidden_gradient = activate_hidden_backward(into_output_backward(output_gradient))
    into_hidden_backward(hidden_gradient, need_dx=False)
    gradients = _copy(
        {name: parameter.grad for name, parameter in model.parameters().items() if parameter.grad is not None}
    )

    optimizer = SGD(model.parameters(), lr=LEARNING_RATE)
    optimizer.step()
    updated = _copy(model.state())
    prediction_after = model.predict(x)
    error_after, _ = ops.mean_squared_error(prediction_after, label)

    later = {}
    while optimizer.steps < max(LATER):
        prediction_now, backward = model(x, training=True)
        _, error_backward = ops.mean_squared_error(prediction_now, label)
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
    rng = np.random.default_rng(0)  # its weights are replaced below
    into_hidden, into_output = Linear(2, 3, rng=rng), Linear(3, 1, rng=rng)
    model = Sequential(into_hidden, Sigmoid(), into_output, Sigmoid())
    model.astype(np.float64)
    into_hidden.weight.value = np.array([[0.2, -0.4], [0.6, 0.3], [-0.5, 0.8]])
    into_hidden.bias.value = np.array([0.1, -0.2, 0.3])
    into_output.weight.value = np.array([[0.5, -0.3, 0.8]])
    # σ(s) = 0.7 for s = log(0.7 / 0.3) = Σ v·h + c, solved for the output bias c.
    hidden = Sequential(*model.layers[:2]).predict(x)
    without_bias = (hidden @ into_output.weight.value.T)[0]
    into_output.bias.value = log(PREDICTION / (1 - PREDICTION)) - without_bias
    return model


def _copy(arrays: Mapping[str, Array]) -> Parameters:
    """Copies of the four arrays of the network, given in the order of its layers."""
    hidden, hidden_bias, output, output_bias = (array.copy() for array in arrays.values())
    return Parameters(hidden, hidden_bias, output[0], output_bias.item())
