"""Mean squared error of predictions and targets."""

from tinydnn.backend import Array
from tinydnn.ops import checks
from tinydnn.ops.implementation import Backward
from tinydnn.ops.operation import operation


def _check(prediction: Array, target: Array) -> None:
    checks.floats("mean_squared_error", prediction=prediction, target=target)
    if prediction.size == 0:
        raise ValueError(
            f"mean_squared_error: prediction: expected at least one element, found shape {prediction.shape}"
        )
    checks.shape("mean_squared_error", "target", target, prediction.shape, "like the prediction's")


@operation(check=_check)
def mean_squared_error(prediction: Array, target: Array) -> tuple[Array, Backward]:
    """The mean of the squared differences.

        L           = 1/M · Σ (ŷ − y)²                 M: the number of elements
        dprediction = dL · 2 · (ŷ − y) / M

    prediction ŷ and target y: any shape, the same. L: a scalar array. `backward(dloss=1.0)` returns dprediction.

    Source: Hou and Zhang, worked example.
    """
    difference = prediction - target
    loss = (difference * difference).sum() / difference.size

    def backward(dloss: float = 1.0) -> Array:
        return difference * (2 * float(dloss) / difference.size)

    return loss, backward
