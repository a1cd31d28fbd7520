"""The BLAS that NumPy multiplies matrices with, and the type of core that it takes this CPU for."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

RAISED_FROM = "TINYDNN_BLAS_RAISED_FROM"  # set by the command line, for the processes that it starts as well
_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}


@dataclass(frozen=True)
class Blas:
    """Name and version; the core type decides which kernels run; texts are empty where they are not known.

    raised_from: the core type that it takes by itself, where the command line has made it take a better one.
    """

    name: str
    core_type: str
    raised_from: str

    def __str__(self) -> str:
        return f"{self.name} ({self.core_type})" if self.core_type else self.name


def loaded_blas() -> Blas:
    """The BLAS of the NumPy in this process."""
    loaded = [one for one in threadpool_info() if one["user_api"] == "blas"]
    loaded.sort(key=lambda one: "numpy" not in one["filepath"])  # SciPy brings a BLAS of its own
    if not loaded:  # such as Accelerate, which threadpoolctl does not see
        built_with: Any = np.show_config(mode="dicts")
        return Blas(built_with.get("Build Dependencies", {}).get("blas", {}).get("name", ""), "", "")
    found = loaded[0]
    name = _NAMES.get(found["internal_api"], found["internal_api"])
    core_type = found.get("architecture") or ""
    before = os.environ.get(RAISED_FROM, "")
    return Blas(f"{name} {found['version'] or ''}".rstrip(), core_type, "" if before == core_type else before)
