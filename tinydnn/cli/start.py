"""Starting the program, with a BLAS that uses what the CPU has.

OpenBLAS chooses its kernels once, when NumPy is imported, by what it takes the CPU for. Where that is less than the CPU
is, matrix products run at half the speed: an OpenBLAS that does not know a new CPU, or an OPENBLAS_CORETYPE=Haswell
that somebody has set for all programs of a machine. So the program looks which type was taken, and where the CPU can do
better it starts itself anew, once, with the variable set to that, and says so. Only the program does: `import tinydnn`
changes nothing. TINYDNN_BLAS=as-is leaves the BLAS as it is.
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
    if RAISED_FROM in environment or environment.get(SWITCH) == AS_IS:
        return None
    if not {*instruction_sets(cpuinfo)} >= NEEDED:
        return None
    blas = loaded_blas()
    return blas.core_type if blas.name.startswith("OpenBLAS") and blas.core_type in LESSER else None


def blas_note() -> str:
    """What was done about the core type, or could be; nothing where it is as it should be."""
    blas = loaded_blas()
    if blas.raised_from:
        return (
            f"OpenBLAS runs as {blas.core_type}, which this CPU is, not as {blas.raised_from} at half the speed; "
            f"{SWITCH}={AS_IS} leaves it as it was."
        )
    if os.environ.get(SWITCH) == AS_IS and (lesser := lesser_core_type({})):
        return f"OpenBLAS runs as {lesser}, at about half the speed, because {SWITCH}={AS_IS} is set."
    return ""
