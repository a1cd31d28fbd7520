"""The machine that computes: what can be read of it, without measuring anything."""

import os
import platform
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

from tinydnn.kernels.cpu.blas import loaded_blas
from tinydnn.kernels.cpu.threads import available_cores, thread_count

CPUINFO = Path("/proc/cpuinfo")
BUSY = 0.25  # of the cores

# The flags of Linux, and how people call what they stand for.
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
    """What computes. Versions are None, and texts empty, where something is not there or not known.

    cores: those that this process may use. threads: those that work on a batch. core_type: the CPU that the BLAS
    takes this one for, which decides its kernels. load: processes that wanted a core during the last minute, over
    all cores of the machine; those of this process count.
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
        """Whether so much else ran in the last minute that measured times are doubtful."""
        return self.load > BUSY


def machine(cpuinfo: Path = CPUINFO) -> Machine:
    """Read what can be read; `cpuinfo` is the file in which Linux describes its CPUs."""
    described = _first_cpu(cpuinfo)
    blas = loaded_blas()
    return Machine(
        cpu=described.get("model name") or platform.processor() or platform.machine(),
        instruction_sets=_instruction_sets(described),
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
    """What of the extensions that matter to arithmetic the CPU has, and the system lets one use."""
    return _instruction_sets(_first_cpu(cpuinfo))


def installed(package: str) -> str | None:
    """The version of a package, which is not imported for that; None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _instruction_sets(described: dict[str, str]) -> tuple[str, ...]:
    flags = {*described.get("flags", "").split(), *described.get("Features", "").split()}
    return tuple(name for flag, name in _INSTRUCTION_SETS.items() if flag in flags)


def _first_cpu(cpuinfo: Path) -> dict[str, str]:
    """The fields of the first CPU in the file; none where there is no such file."""
    try:
        text = cpuinfo.read_text(errors="replace")
    except OSError:
        return {}
    pairs = (line.partition(":") for line in text.partition("\n\n")[0].splitlines())
    return {name.strip(): value.strip() for name, _, value in pairs}
