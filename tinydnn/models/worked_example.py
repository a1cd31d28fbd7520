"""The paper's worked example: one step of gradient descent in a 2-3-1 network, small enough for pencil and paper."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array
from tinydnn.layers import Linear, Sequential, Sigmoid
from tinydnn.optim import SGD

LATER = (10, 100, 1000, 10000)
STEP = 1e-5  # h of the numeric derivatives


@dataclass(frozen=True)
class Parameters:
    """The weights and biases of the network, or their gradients.

    hidden w: (3, 2), row k for hidden unit k. hidden_bias b: (3,). output v: (3,). output_bias c: a scalar.
    """

    hidden: Array
    hidden_bias: Array
    output: Array
    output_bias: float


X = (0.5, 0.8)
LABEL = 1.0
LEARNING_RATE = 0.1
PREDICTION = 0.7  # the output bias is chosen to give it
HIDDEN = ((0.2, -0.4), (0.6, 0.3), (-0.5, 0.8))
HIDDEN_BIAS = (0.1, -0.2, 0.3)
OUTPUT = (0.5, -0.3, 0.8)


def output_bias() -> float:
    """The c for which the network above predicts 0.7: σ(s) = 0.7 for s = log(0.7 / 0.3) = Σ v·h + c, solved for c."""
    hidden, _ = ops.sigmoid(np.array(HIDDEN) @ np.array(X) + np.array(HIDDEN_BIAS))
    return log(PREDICTION / (1 - PREDICTION)) - float(np.array(OUTPUT) @ hidden)


@dataclass(frozen=True)
class WorkedExample:
    """Every value of one step, in the order of the computation.

    Forward: `hidden_sum` z and `hidden` h = σ(z), (3,); `output_sum` s and `prediction` ŷ = σ(s); `error`
    E = (y − ŷ)². Backward: `output_gradient` ∂E/∂s, `hidden_gradient` ∂E/∂z (3,), `gradients`; `numeric` gradients by
    central differences. After the step: the weights `updated`, the prediction and the error with them. later: the
    prediction by number of steps.
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
    numeric: Parameters
    updated: Parameters
    prediction_after: float
    error_after: float
    later: Mapping[int, float]


def worked_example(
    x: tuple[float, ...] = X,
    label: float = LABEL,
    learning_rate: float = LEARNING_RATE,
    weights: Parameters | None = None,
) -> WorkedExample:
    """Compute the example in float64 with the layers, operations and optimizer that train any model.

    x: two inputs. label: from 0 to 1. weights: by default round numbers, with the output bias that predicts 0.7.

    Source: Hou and Zhang, worked example: a 2-3-1 network, ŷ = 0.7, E = 0.09, ∂E/∂s = −0.126. These figures are the
    paper's; the weights that lead to them are ours.
    """
    if weights is None:
        weights = Parameters(np.array(HIDDEN), np.array(HIDDEN_BIAS), np.array(OUTPUT), output_bias())
    inputs, target = np.array([x]), np.array([[label]])
    model = _network(weights)
    into_hidden, activate_hidden, into_output, activate_output = model.layers

    hidden_sum, into_hidden_backward = into_hidden(inputs)
    hidden, activate_hidden_backward = activate_hidden(hidden_sum)
    output_sum, into_output_backward = into_output(hidden)
    prediction, activate_output_backward = activate_output(output_sum)
    error, error_backward = ops.mean_squared_error(prediction, target)

    output_gradient = activate_output_backward(error_backward())
    hidden_gradient = activate_hidden_backward(into_output_backward(output_gradient))
    into_hidden_backward(hidden_gradient, need_dx=False)
    gradients = _copy(
        {name: parameter.grad for name, parameter in model.parameters().items() if parameter.grad is not None}
    )
    numeric = _numeric_gradients(model, inputs, target)

    optimizer = SGD(model.parameters(), lr=learning_rate)
    optimizer.step()
    updated = _copy(model.state())
    prediction_after = model.predict(inputs)
    error_after, _ = ops.mean_squared_error(prediction_after, target)

    later = {}
    while optimizer.steps < max(LATER):
        prediction_now, backward = model(inputs, training=True)
        _, error_backward = ops.mean_squared_error(prediction_now, target)
        backward(error_backward(), need_dx=False)
        optimizer.step()
        if optimizer.steps in LATER:
            later[optimizer.steps] = model.predict(inputs).item()

    return WorkedExample(
        inputs[0], label, learning_rate, weights,
        hidden_sum[0], hidden[0], output_sum.item(), prediction.item(), error.item(),
        output_gradient.item(), hidden_gradient[0], gradients, numeric,
        updated, prediction_after.item(), error_after.item(), later,
    )  # fmt: skip


def _network(weights: Parameters) -> Sequential:
    rng = np.random.default_rng(0)  # its weights are replaced
    into_hidden, into_output = Linear(2, 3, rng=rng), Linear(3, 1, rng=rng)
    into_hidden.weight.value, into_hidden.bias.value = weights.hidden.copy(), weights.hidden_bias.copy()
    into_output.weight.value, into_output.bias.value = weights.output[None].copy(), np.array([weights.output_bias])
    return Sequential(into_hidden, Sigmoid(), into_output, Sigmoid())


def _numeric_gradients(model: Sequential, x: Array, target: Array) -> Parameters:
    """∂E/∂θ ≈ (E(θ + h) − E(θ − h)) / 2h for every element θ of the parameters, one at a time."""

    def error(array: Array, index: int, theta: float) -> float:
        array.flat[index] = theta
        return float(ops.mean_squared_error(model.predict(x), target)[0])

    numeric = {}
    for name, parameter in model.parameters().items():
        numeric[name] = np.zeros_like(parameter.value)
        for index, theta in enumerate(parameter.value.flat):
            ahead, behind = (error(parameter.value, index, theta + h) for h in (STEP, -STEP))
            parameter.value.flat[index] = theta
            numeric[name].flat[index] = (ahead - behind) / (2 * STEP)
    return _copy(numeric)


def _copy(arrays: Mapping[str, Array]) -> Parameters:
    """Copies of the four arrays of the network, given in the order of its layers."""
    hidden, hidden_bias, output, output_bias = (array.copy() for array in arrays.values())
    return Parameters(hidden, hidden_bias, output[0], output_bias.item())
