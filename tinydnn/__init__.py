"""A readable neural-network engine on NumPy and CuPy.

A training step reads like its formulas:

    logits, backward = model(x, training=True)
    loss, loss_backward = ops.softmax_cross_entropy(logits, y)
    backward(loss_backward())
    optimizer.step()
"""

from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

from tinydnn import kernels, layers, models, ops, optim
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.optim import SGD, Adam

if TYPE_CHECKING:
    from tinydnn import bench, checkpoint, data, explain, gradcheck, metrics, plots, runs, training, weights

__version__ = "0.1.0"

__all__ = [
    "SGD", "Adam", "InputError", "Parameter", "Sequential", "bench", "checkpoint", "data", "explain", "gradcheck",
    "kernels", "layers", "metrics", "models", "ops", "optim", "plots", "runs", "training", "weights",
]  # fmt: skip

if not TYPE_CHECKING:  # type checkers see the imports above, and no attribute of any name

    def __getattr__(name: str) -> ModuleType:
        """Import a subpackage when it is first used, so that `import tinydnn` stays fast."""
        if name in __all__:
            return import_module(f"tinydnn.{name}")
        raise AttributeError(f"module 'tinydnn' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__doc__", "__version__"]
