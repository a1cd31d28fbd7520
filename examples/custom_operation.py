"""Define an operation: formula and gradient, proof, a second implementation, and training with it.

python examples/custom_operation.py
"""

from functools import partial

import numpy as np

from tinydnn import ops
from tinydnn.gradcheck import compare, gradcheck
from tinydnn.layers import Layer, Linear, Sequential
from tinydnn.ops import checks, operation, softmax_cross_entropy
from tinydnn.optim import SGD

# 1. The operation. Its check refuses invalid arguments; the decorated function is its reference.


def check(x, *, beta=1.0):
    checks.floats("swish", x=x)


@operation(check=check)
def swish(x, *, beta=1.0):
    """A smooth relative of ReLU.

        z  = x · σ(βx)                                       σ(t) = 1 / (1 + e⁻ᵗ)
        dx = dz · (σ(βx) + β · z · (1 − σ(βx)))

    Source: Ramachandran et al., Searching for Activation Functions.
    """
    sigma, _ = ops.sigmoid(beta * x)
    z = x * sigma

    def backward(dz):
        return dz * (sigma + beta * z * (1 - sigma))

    return z, backward


# 2. Proof, and what a mistake looks like: the second check forgets a term of the gradient.

x = np.random.default_rng(0).standard_normal((4, 5))
print(gradcheck(partial(swish, beta=1.5), x, name="swish"))
print(gradcheck(lambda x: (swish(x)[0], lambda dz: dz * ops.sigmoid(x)[0]), x, name="swish, a term forgotten"))

# 3. Other implementations: one of the new operation, and one of an existing operation.


@swish.implementation("tanh", priority=1)
def swish_by_tanh(x, *, beta=1.0):
    """The same formula with one call of tanh: σ(t) = (1 + tanh(t/2)) / 2."""
    sigma = 0.5 + 0.5 * np.tanh(0.5 * beta * x)
    z = x * sigma
    return z, lambda dz: dz * (sigma + beta * (z - z * sigma))


@ops.relu.implementation("half-sum", device="cpu")
def relu(x):
    """max(0, x) = (x + |x|) / 2, without a comparison in the forward pass."""
    return (x + np.abs(x)) / 2, lambda dz: dz * (x > 0)


for function, name in ((swish, "tanh"), (ops.relu, "half-sum")):
    with ops.use(**{function.name: name}):
        print(gradcheck(function, x))
        print(compare(function, function.implementations["reference"].function, x, dtype=np.float32))

# 4. A layer for it, and the same training step as for any other model.


class Swish(Layer):
    """A layer that applies `swish`."""

    def __call__(self, x, *, training=False):
        """Apply to x of any shape; the value has the same shape."""
        return swish(x)


rng = np.random.default_rng(0)
model = Sequential(Linear(2, 16, rng=rng), Swish(), Linear(16, 2, rng=rng))
points = rng.standard_normal((200, 2)).astype(np.float32)
inside = ((points**2).sum(axis=1) < 1).astype(np.int64)  # the class: whether a point lies in the unit circle
optimizer = SGD(model.parameters(), lr=0.5)

for step in range(301):
    with ops.trace() as calls:
        logits, backward = model(points, training=True)
        loss, loss_backward = softmax_cross_entropy(logits, inside)
    backward(loss_backward(), need_dx=False)
    optimizer.step()
    if step % 100 == 0:
        right = (logits.argmax(axis=1) == inside).mean()
        print(f"step {step}: loss {loss:.3f}, {right:.0%} of the points are classified correctly")
print("what ran:", ", ".join(f"{call.operation} by {call.implementation}" for call in calls))
