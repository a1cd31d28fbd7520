"""How kernels are compiled, and when a cached compilation is still valid."""

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core.caching import FunctionCache

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """Compile at the first call, cache the result on disk, and release the interpreter lock while running.

    Most loops take the address and byte strides of arrays that they read, and flat arrays that they write. So one
    compilation serves every memory layout.
    """
    dispatcher = numba.njit(nogil=True, error_model="numpy")(function)
    dispatcher._cache = _Cache(function)
    typed: F = dispatcher
    return typed


class _Cache(FunctionCache):
    """Numba's cache on disk, which by itself checks a kernel's own file only, not the files of what it calls."""

    def _index_key(self, signature: Any, codegen: Any) -> tuple[Any, ...]:
        return (*super()._index_key(signature, codegen), _fingerprint())

    def _load_overload(self, signature: Any, target: Any) -> Any:
        try:
            return super()._load_overload(signature, target)
        except (AttributeError, ImportError):  # the cache names a class that has since been renamed
            self.flush()
            return None


@cache
def _fingerprint() -> str:
    """A hash of all sources from which kernels are compiled."""
    sources = sorted(Path(__file__).parent.rglob("*.py"))
    return sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
