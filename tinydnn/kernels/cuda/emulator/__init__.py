"""An emulator that runs CUDA kernels on the CPU: g++ compiles the same source, and the threads of a block take turns.

It checks kernels and does not time them. It reports in one line what a GPU would run wrongly: a missing barrier, a
deadlock, an index out of bounds, an argument of the wrong type. Shared memory holds NaN before each block. Every launch
is repeated with other thread orders, which must give the same bits.

It does not show a kernel's speed, a GPU's rounding of the last bits, or blocks that synchronise with each other: blocks
run one after the other, and two blocks that conflict at an address are reported.
"""

from tinydnn.kernels.cuda.emulator.build import EmulatorError
from tinydnn.kernels.cuda.emulator.module import ORDERS, Function, Module

__all__ = ["ORDERS", "EmulatorError", "Function", "Module"]
