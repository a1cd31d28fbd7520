"""The paper's worked example with the engine's own layers: a 2-3-1 network learns from one pair of values.

python examples/worked_example.py

The output bias is chosen so that the first prediction is 0.7. `tinydnn worked-example` prints every intermediate value,
also for your own inputs, weights and learning rate.
"""

import numpy as np

from tinydnn.layers import Linear, Sequential, Sigmoid
from tinydnn.ops import mean_squared_error
from tinydnn.optim import SGD

x, y = np.array([[0.5, 0.8]]), np.array([[1.0]])

rng = np.random.default_rng(0)
into_hidden, into_output = Linear(2, 3, rng=rng), Linear(3, 1, rng=rng)
hidden_units = Sequential(into_hidden, Sigmoid())
model = Sequential(hidden_units, into_output, Sigmoid())

# Round numbers replace the random weights; σ(s) = 0.7 for s = log(0.7 / 0.3).
into_hidden.weight.value = np.array([[0.2, -0.4], [0.6, 0.3], [-0.5, 0.8]])
into_hidden.bias.value = np.array([0.1, -0.2, 0.3])
into_output.weight.value = np.array([[0.5, -0.3, 0.8]])
into_output.bias.value = np.log(0.7 / 0.3) - (hidden_units.predict(x) @ into_output.weight.value.T)[0]

optimizer = SGD(model.parameters(), lr=0.1)  # the paper calls the learning rate α
for iteration in range(10_001):
    prediction, backward = model(x, training=True)
    error, error_backward = mean_squared_error(prediction, y)
    backward(error_backward())

    if iteration in (0, 1, 10, 100, 1000, 10_000):
        print(f"after {iteration:>5} steps: prediction {prediction.item():.6g}, error {error.item():.6g}")
    if iteration == 0:
        # The gradient of the output bias is that of the output sum: 2·(ŷ - y)·ŷ·(1 - ŷ).
        print(f"  output gradient {into_output.bias.grad.item():.6g}")
        print(f"  hidden gradients {', '.join(f'{gradient:.6g}' for gradient in into_hidden.bias.grad)}")
    optimizer.step()
