"""The BLAS that NumPy uses for matrix products, and the core type whose kernels it has selected."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

RAISED_FROM = "TINYDNN_BLAS_RAISED_FROM"  # set by the command line, and inherited by the processes it starts
_NAMES = {"openblas": "OpenBLAS", "mkl": "MKL", "blis": "BLIS", "flexiblas": "FlexiBLAS"}


@dataclass(frozen=True)
class Blas:
    """Name with version, and core type, which selects the kernels; empty where unknown.

    raised_from: the core type it selects by itself, if the command line has overridden it with a better one.
    """

    name: str
    core_type: str
    raised_from: str

    def __str__(self) -> str:
        return f"{self.name} ({self.core_type})" if self.core_type else self.name


def loaded_blas() -> Blas:
    """The BLAS of the NumPy in this process."""
    loaded = [library for library in threadpool_info() if library["user_api"] == "blas"]
    if not loaded:  # for example Accelerate, which threadpoolctl does not detect
        built_with: Any = np.show_config(mode="dicts")
        return Blas(built_with.get("Build Dependencies", {}).get("blas", {}).get("name", ""), "", "")
    library = min(loaded, key=lambda library: "numpy" not in library["filepath"])  # SciPy loads a BLAS of its own
    name = _NAMES.get(library["internal_api"], library["internal_api"])
    core_type = library.get("architecture") or ""
    before = os.environ.get(RAISED_FROM, "")
    return Blas(f"{name} {library['version'] or ''}".rstrip(), core_type, "" if before == core_type else before)
