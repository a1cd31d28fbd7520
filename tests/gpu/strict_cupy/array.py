"""The stand-in's array: NumPy's memory without NumPy's conversions."""

import operator

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from strict_cupy.stream import allocate, current_stream, do, forbid

CUBLAS = {"matmul", "dot", "tensordot", "einsum", "vdot", "inner"}  # NumPy's names of what CuPy computes with cuBLAS
SYNCHRONISING = {"nonzero", "flatnonzero", "argwhere", "unique"}  # the size of their result is known on the GPU only


class ndarray(NDArrayOperatorsMixin):  # noqa: N801 - CuPy's name
    """An array "on the GPU". `memory`: its NumPy array."""

    __array_priority__ = 100

    def __init__(self, memory):
        self.memory = memory

    shape = property(lambda self: self.memory.shape)
    dtype = property(lambda self: self.memory.dtype)
    ndim = property(lambda self: self.memory.ndim)
    size = property(lambda self: self.memory.size)
    nbytes = property(lambda self: self.memory.nbytes)
    itemsize = property(lambda self: self.memory.itemsize)
    strides = property(lambda self: self.memory.strides)
    flags = property(lambda self: self.memory.flags)
    T = property(lambda self: self.transpose())

    # NumPy's protocols: NumPy's functions run as CuPy's, and there is no way to a NumPy array but `get`.

    def __array__(self, *args, **kwargs):
        raise TypeError("implicit conversion of a CuPy array to a NumPy array; use get()")

    def __array_ufunc__(self, ufunc, method, *args, **kwargs):
        function = ufunc if method == "__call__" else getattr(ufunc, method)
        out = kwargs.pop("out", (None,))[0]
        return compute(ufunc.__name__, function, *args, out=out, **kwargs)

    def __array_function__(self, function, types, args, kwargs):
        return compute(function.__name__, function, *args, **kwargs)

    # To and from the host.

    def get(self):
        forbid("get, a copy to the host")
        return self.memory.copy()

    def set(self, values, stream=None):
        forbid("set, a copy from the host")
        if type(values) is not np.ndarray or (values.shape, values.dtype) != (self.shape, self.dtype):
            raise TypeError(f"set: expected a NumPy array of {self.dtype} {self.shape}, found {type(values).__name__}")
        assert self.flags.c_contiguous
        assert values.flags.c_contiguous
        self.memory[...] = values

    def _read(self, name):
        forbid(f"{name}, a copy to the host")
        return self.memory

    def item(self):
        return self._read("item()").item()

    def tolist(self):
        return self._read("tolist()").tolist()

    def tobytes(self):
        return self._read("tobytes()").tobytes()

    def __float__(self):
        return float(self._read("float()").item())

    def __int__(self):
        return int(self._read("int()").item())

    def __bool__(self):
        return bool(self._read("bool()"))

    def __index__(self):
        return operator.index(self._read("an index").item())

    def __format__(self, form):
        return format(self._read("format()").item(), form)

    def __repr__(self):
        return f"strict {self._read('repr()')!r}"

    # Indices.

    def __len__(self):
        return len(self.memory)

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def __getitem__(self, index):
        items = index if isinstance(index, tuple) else (index,)
        ellipsis = () if any(item is Ellipsis for item in items) else (...,)  # an array, also of one element
        return compute("take", lambda x, *at: x[at], self, *map(_on_device, items), *ellipsis)

    def __setitem__(self, index, value):
        items = index if isinstance(index, tuple) else (index,)
        at, values = raw(tuple(map(_on_device, items)), "an index"), raw(value, "an assignment")
        do("copy" if isinstance(value, ndarray) else "fill", lambda: operator.setitem(self.memory, at, values))

    def fill(self, value):
        self[...] = value

    def astype(self, dtype, copy=True):
        return compute("astype", np.ndarray.astype, self, dtype, copy=copy)


def _method(name):
    return lambda self, *args, **kwargs: compute(name, getattr(np.ndarray, name), self, *args, **kwargs)


METHODS = (
    "all", "any", "argmax", "argmin", "clip", "copy", "cumsum", "dot", "flatten", "max", "mean", "min", "nonzero",
    "prod", "ravel", "repeat", "reshape", "round", "squeeze", "std", "sum", "swapaxes", "take", "transpose", "var",
    "view",
)  # fmt: skip
for _name in METHODS:
    setattr(ndarray, _name, _method(_name))


def compute(name, function, *args, out=None, **kwargs):
    """The result of a NumPy function of the arrays' memory: a view, or computed into new memory or `out`."""
    if name in CUBLAS:
        forbid(f"{name}, a cuBLAS product,")
    if name in SYNCHRONISING:
        forbid(f"{name}, a synchronisation,")
    args, kwargs = raw(args, name), raw(kwargs, name)
    if out is not None:
        memory = raw(out, name)
        do(name, lambda: function(*args, out=memory, **kwargs))
        return out
    with np.errstate(all="ignore"):  # while a stream captures, the values are not known yet
        result = function(*args, **kwargs)
    if isinstance(result, tuple | list):
        return type(result)(map(_wrapped, result))
    if not isinstance(result, np.ndarray | np.generic | bool) or "shares_memory" in name:
        return result
    result = np.asarray(result)
    if any(np.may_share_memory(result, x) for x in _arrays(args)):
        return ndarray(result)
    allocate(result.nbytes, name)
    if current_stream().graph is not None:
        poison(result)
        do(name, lambda: np.copyto(result, function(*args, **kwargs)))
    return ndarray(result)


def raw(x, name):
    """The memory of arrays, in tuples, lists and dictionaries too. A NumPy array is refused."""
    if isinstance(x, ndarray):
        return x.memory
    if isinstance(x, np.ndarray):
        raise TypeError(f"{name}: expected a CuPy array, found a NumPy array")
    if isinstance(x, tuple | list):
        return type(x)(raw(item, name) for item in x)
    return {key: raw(item, name) for key, item in x.items()} if isinstance(x, dict) else x


def poison(memory):
    """Fill memory whose values are not known yet: with NaN, and integers with −1 or their largest value."""
    if memory.dtype.kind in "fc":
        memory.fill(np.nan)
    elif memory.dtype.kind in "iu":
        memory.fill(-1 if memory.dtype.kind == "i" else np.iinfo(memory.dtype).max)


def upload(values, dtype=None):
    """An array of NumPy values."""
    forbid("asarray, a copy from the host")
    memory = np.array(values, dtype)
    allocate(memory.nbytes, "asarray")
    return ndarray(memory)


def _on_device(index):
    """An index as CuPy takes it: masks have to be counted first, and those of the host are copied."""
    if isinstance(index, ndarray) and index.dtype == bool:
        forbid("a boolean mask, a synchronisation,")
    return upload(index) if isinstance(index, np.ndarray | list) else index


def _arrays(args):
    for x in args:
        if isinstance(x, np.ndarray):
            yield x
        elif isinstance(x, tuple | list):
            yield from _arrays(x)


def _wrapped(x):
    return ndarray(np.asarray(x)) if isinstance(x, np.ndarray | np.generic) else x
