"""The properties of this machine, read without measuring anything."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from tinydnn.kernels.cpu.blas import loaded_blas
from tinydnn.kernels.cpu.threads import available_cores, thread_count

CPUINFO = Path("/proc/cpuinfo")
BUSY = 0.25  # load per core

# The flags in /proc/cpuinfo and the usual names.
_INSTRUCTION_SETS = {
    "avx": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "avx512f": "AVX-512F",
    "avx512dq": "AVX-512DQ",
    "avx512cd": "AVX-512CD",
    "avx512bw": "AVX-512BW",
    "avx512vl": "AVX-512VL",
    "avx512_vnni": "AVX-512VNNI",
    "avx512_bf16": "AVX-512BF16",
    "amx_tile": "AMX",
    "asimd": "NEON",
    "sve": "SVE",
}


@dataclass(frozen=True)
class Machine:
    """The machine. A version is None if the package is not installed; a string is empty if it is not known.

    cores: available to this process. threads: that work on a batch. core_type: the CPU type for which the BLAS chose
    its kernels. load: the load average of the last minute, divided by the cores of the machine.
    """

    cpu: str
    instruction_sets: tuple[str, ...]
    cores: int
    threads: int
    blas: str
    core_type: str
    numpy: str
    numba: str | None
    python: str
    load: float

    @property
    def busy(self) -> bool:
        """Whether the load of the last minute makes measured times doubtful."""
        return self.load > BUSY


def machine(cpuinfo: Path = CPUINFO) -> Machine:
    """Read the properties of this machine; `cpuinfo` is the file in which Linux describes its CPUs."""
    blas = loaded_blas()
    return Machine(
        cpu=_first_cpu(cpuinfo).get("model name") or platform.processor() or platform.machine(),
        instruction_sets=instruction_sets(cpuinfo),
        cores=available_cores(),
        threads=thread_count(),
        blas=blas.name,
        core_type=blas.core_type,
        numpy=np.__version__,
        numba=installed("numba"),
        python=platform.python_version(),
        load=os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 0.0,
    )


def instruction_sets(cpuinfo: Path = CPUINFO) -> tuple[str, ...]:
    """The vector and matrix extensions that the CPU has and the system enables."""
    fields = _first_cpu(cpuinfo)
    flags = {*fields.get("flags", "").split(), *fields.get("Features", "").split()}
    return tuple(name for flag, name in _INSTRUCTION_SETS.items() if flag in flags)


def installed(package: str) -> str | None:
    """The version of a package, read without importing it; None if it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _first_cpu(cpuinfo: Path) -> dict[str, str]:
    """The fields of the first CPU in the file; empty if the file does not exist."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
