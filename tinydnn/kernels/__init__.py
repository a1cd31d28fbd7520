"""Kernels: other implementations of the operations, which register when this package is imported."""

from tinydnn.kernels import cpu, cuda, numba

__all__ = ["cpu", "cuda", "numba"]
