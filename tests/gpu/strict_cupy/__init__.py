"""A stand-in for CuPy on an emulated GPU that refuses what CuPy refuses, above all while a stream captures.

Arrays are not NumPy arrays, and nothing converts one to the other but `get`, `set` and `asarray`. While a stream
captures, copies to and from the host, synchronisations, cuBLAS products and allocations outside a pool of their own
raise `CaptureError`, in one line that names them. All other work is recorded, and done when the graph is launched.

It cannot show which of NumPy's functions CuPy lacks, nor how streams overlap.
"""

from types import ModuleType, SimpleNamespace

import numpy as np
from scipy import special

from strict_cupy import array, stream
from strict_cupy.stream import CaptureError
from tinydnn.kernels.cuda.emulator import Module

__all__ = ["CaptureError", "StrictCupy", "modules"]

PROPERTIES = {"name": b"Fake GPU", "multiProcessorCount": 4, "totalGlobalMem": 1 << 30, "l2CacheSize": 1 << 12}
NUMBERS = "can_cast", "finfo", "iinfo", "isscalar", "promote_types", "result_type"  # no work for a GPU


class Device:
    """A GPU of compute capability 9.0."""

    compute_capability = "90"

    def __init__(self, number=0):
        self.id = number

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None

    def use(self):
        pass

    def synchronize(self):
        stream.forbid("a synchronisation")


class Kernel:
    """An emulated kernel that takes the stand-in's arrays."""

    def __init__(self, function):
        self._function = function

    def __setattr__(self, name, value):
        object.__setattr__(self if name == "_function" else self._function, name, value)

    def __call__(self, grid, block, args, *, shared_mem=0):
        kind = self._function.name
        args = array.raw(tuple(args), kind)
        stream.do(kind, lambda: self._function(grid, block, args, shared_mem=shared_mem))


class RawModule:
    """The kernels of a source; CuPy has more options, which the package does not use."""

    def __init__(self, *, code, options, name_expressions):
        assert options == ("--std=c++17",)
        self._module = Module(code=code, name_expressions=name_expressions, orders=("forward",))

    def get_function(self, name):
        return Kernel(self._module.get_function(name))


class StrictCupy(ModuleType):
    """The module `cupy`. A function that it does not define is NumPy's."""

    ndarray, RawModule = array.ndarray, RawModule

    def __init__(self):
        super().__init__("cupy")
        runtime = SimpleNamespace(
            getDeviceCount=lambda: 1, CUDARuntimeError=OSError, getDeviceProperties=lambda number: PROPERTIES,
            driverGetVersion=lambda: 13000, runtimeGetVersion=lambda: 13000, memGetInfo=lambda: (1 << 20, 1 << 30),
            profilerStart=lambda: None, profilerStop=lambda: None,
        )  # fmt: skip
        self.cuda = SimpleNamespace(
            runtime=runtime, Device=Device, Stream=stream.Stream, Event=stream.Event, MemoryPool=stream.MemoryPool,
            get_current_stream=stream.current_stream, using_allocator=stream.using_allocator,
            get_elapsed_time=lambda begin, end: 1e3 * (end.seconds - begin.seconds), alloc_pinned_memory=bytearray,
        )  # fmt: skip
        self.get_default_memory_pool = lambda: stream.default_pool
        self.asnumpy = lambda x: x.get() if isinstance(x, array.ndarray) else np.asarray(x)

    def __getattr__(self, name):
        function = getattr(np, name)
        if not callable(function) or isinstance(function, type) or name in NUMBERS:
            return function
        return lambda *args, **kwargs: array.compute(name, function, *args, **kwargs)

    @staticmethod
    def asarray(x, dtype=None):
        """An array of the GPU itself if it has this dtype; NumPy's arrays and Python's numbers are copied there."""
        if not isinstance(x, array.ndarray):
            return array.upload(x, dtype)
        return x if dtype is None else x.astype(dtype, copy=False)

    @staticmethod
    def array(x, dtype=None):
        """A copy on the GPU."""
        return x.astype(dtype or x.dtype) if isinstance(x, array.ndarray) else array.upload(x, dtype)

    @staticmethod
    def empty(shape, dtype=float):
        """Memory that nothing has been written to: no work, and no values."""
        memory = np.empty(shape, dtype)
        stream.allocate(memory.nbytes, "empty")
        array.poison(memory)
        return array.ndarray(memory)

    @staticmethod
    def empty_like(x, dtype=None):
        """As `empty`, of the shape and layout of x."""
        memory = np.empty_like(array.raw(x, "empty_like"), dtype)
        stream.allocate(memory.nbytes, "empty_like")
        array.poison(memory)
        return array.ndarray(memory)


def modules():
    """The modules to put into `sys.modules`."""
    products = SimpleNamespace(get_compute_type=lambda t: 0, set_compute_type=lambda t, c: None, COMPUTE_TYPE_TF32=3)
    erf = SimpleNamespace(erf=lambda x: array.compute("erf", special.erf, x))
    return {
        "cupy": StrictCupy(),
        "cupy._core": SimpleNamespace(_routines_linalg=products),
        "cupyx.scipy": SimpleNamespace(special=erf),
    }
