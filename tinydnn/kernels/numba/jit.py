"""How the kernels here are compiled, and when what was compiled before will do."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile at the first call and keep the result on disk; run without the interpreter lock.

    Kernels take addresses and byte strides of what they only read, and flat arrays of what they write. So one
    compiled form serves every memory layout.
    """
    made = numba.njit(nogil=True, error_model="numpy")(function)
    made._cache = _Cache(function)
    typed: F = made
    return typed


class _Cache(FunctionCache):
    """Numba's cache on disk, which by itself looks at the file of a kernel, but not at those that it uses."""

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(signature, codegen), _fingerprint())


@cache
def _fingerprint() -> str:
    """Of all the code that is compiled here."""
    sources = sorted(Path(__file__).parent.glob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
