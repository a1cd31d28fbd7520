"""A readable neural-network engine on NumPy and CuPy.

A training step reads like its formulas:

    logits, backward = model(x, training=True)
    loss, loss_backward = ops.softmax_cross_entropy(logits, y)
    backward(loss_backward())
    optimizer.step()
"""

from tinydnn import kernels, layers, models, ops, optim
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.optim import SGD, Adam

__version__ = "0.1.0"

__all__ = ["SGD", "Adam", "InputError", "Parameter", "Sequential", "kernels", "layers", "models", "ops", "optim"]
