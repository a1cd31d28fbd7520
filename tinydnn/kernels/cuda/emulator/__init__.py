"""CUDA kernels on the CPU: the same source, compiled by g++, with the threads of a block taking turns.

It checks and does not time. A kernel that the GPU would run wrongly is told so in one line: a missing barrier, a
deadlock, an index out of bounds, an argument of the wrong type. Shared memory holds NaN before each block, and every
launch is repeated with the threads in another order, which must not change a bit.

It cannot show how fast a kernel is, how a GPU rounds in its last bits, or what blocks do to each other that wait for
each other: here blocks run one after the other, and two that share a place in memory are reported.
"""

from tinydnn.kernels.cuda.emulator.build import EmulatorError
from tinydnn.kernels.cuda.emulator.module import ORDERS, Function, Module

__all__ = ["ORDERS", "EmulatorError", "Function", "Module"]
