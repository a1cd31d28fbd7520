"""Starting the program, with a BLAS that uses what the CPU has.

OpenBLAS takes some CPUs for older ones than they are (an AMD Zen 5 with AVX-512 for a Haswell), and multiplies
matrices at half the speed. It chooses its kernels once, when NumPy is imported, and goes by the variable
OPENBLAS_CORETYPE where there is one. So the program looks which type was taken, and where the CPU can do better it
starts itself anew, once, with the variable set. Only the program does that: `import tinydnn` changes nothing.

A person who has set OPENBLAS_CORETYPE is obeyed; TINYDNN_BLAS=as-is leaves the BLAS as it is.
"""

import os
import platform
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from tinydnn.bench.machine import CPUINFO, instruction_sets
from tinydnn.cli import app
from tinydnn.kernels.cpu.blas import RAISED_FROM, loaded_blas

SWITCH, AS_IS = "TINYDNN_BLAS", "as-is"
CORE_TYPE = "OPENBLAS_CORETYPE"
BETTER = "SkylakeX"  # what OpenBLAS calls its kernels for these instruction sets
NEEDED = frozenset({"AVX-512F", "AVX-512DQ", "AVX-512CD", "AVX-512BW", "AVX-512VL"})
# A type that is not named here may be better than ours, now or in a later OpenBLAS.
LESSER = frozenset({
    "Prescott", "Core2", "Nehalem", "Barcelona", "Sandybridge", "Bulldozer", "Piledriver", "Steamroller", "Excavator",
    "Haswell", "Zen",
})  # fmt: skip


def main() -> NoReturn:
    """Run the command line, in a new image of this process where the BLAS needs it."""
    switch = os.environ.get(SWITCH)
    if switch not in (None, "", AS_IS):
        app.fail(f"{SWITCH}: expected {AS_IS} or nothing, found {switch!r}")
    if sys.argv[1:] and not sys.argv[1].startswith("-"):  # --version and --help compute nothing
        raise_core_type()
    app.main()


def raise_core_type(cpuinfo: Path = CPUINFO) -> None:
    """Start this program anew with a better core type, where there is one; else return."""
    found = lesser_core_type(os.environ, cpuinfo)
    if found is None or not sys.executable:
        return
    environment = os.environ | {CORE_TYPE: BETTER, RAISED_FROM: found}
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    except OSError:
        return  # it is only slower


def lesser_core_type(environment: Mapping[str, str] = os.environ, cpuinfo: Path = CPUINFO) -> str | None:
    """The core type that OpenBLAS takes where a better one is there and may be set; None elsewhere."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    if CORE_TYPE in environment or environment.get(SWITCH) == AS_IS or not NEEDED <= {*instruction_sets(cpuinfo)}:
        return None
    blas = loaded_blas()
    return blas.core_type if blas.name.startswith("OpenBLAS") and blas.core_type in LESSER else None
