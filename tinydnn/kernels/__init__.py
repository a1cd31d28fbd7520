"""The speed: other implementations of the operations, which register when this package is imported."""

from tinydnn.kernels import cpu

__all__ = ["cpu"]
