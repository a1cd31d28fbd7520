"""The entry point of the program. It restarts the program once if OpenBLAS chose kernels for an older CPU.

OpenBLAS chooses its kernels for a core type when NumPy is imported. If the type is below the CPU's (an OpenBLAS older
than the CPU, or OPENBLAS_CORETYPE=Haswell set for the whole machine), matrix products run at half the speed. The
program then restarts itself with OPENBLAS_CORETYPE set to the better type, and reports it. `import tinydnn` never
restarts anything. TINYDNN_BLAS=as-is turns the restart off.
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
BETTER = "SkylakeX"  # OpenBLAS's core type for these instruction sets
NEEDED = frozenset({"AVX-512F", "AVX-512DQ", "AVX-512CD", "AVX-512BW", "AVX-512VL"})
# Core types below SkylakeX. Any other may be better than it, now or in a later OpenBLAS.
LESSER = frozenset({
    "Prescott", "Core2", "Nehalem", "Barcelona", "Sandybridge", "Bulldozer", "Piledriver", "Steamroller", "Excavator",
    "Haswell", "Zen",
})  # fmt: skip


def main() -> NoReturn:
    """Run the command line, after a restart of this process if the BLAS needs one."""
    switch = os.environ.get(SWITCH)
    if switch not in (None, "", AS_IS):
        app.fail(f"{SWITCH}: expected {AS_IS} or nothing, found {switch!r}")
    if sys.argv[1:] and not sys.argv[1].startswith("-"):  # --version and --help need no BLAS
        raise_core_type()
    app.main()


def raise_core_type(cpuinfo: Path = CPUINFO) -> None:
    """Restart this program with a better core type; return if there is none or the restart fails."""
    lesser = lesser_core_type(os.environ, cpuinfo)
    if lesser is None or not sys.executable:
        return
    environment = os.environ | {CORE_TYPE: BETTER, RAISED_FROM: lesser}
    try:
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)
    except OSError:
        return  # continue with the slower kernels


def lesser_core_type(environment: Mapping[str, str] = os.environ, cpuinfo: Path = CPUINFO) -> str | None:
    """The core type that OpenBLAS chose, if the CPU supports a better one that may be set; else None."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return None
    if RAISED_FROM in environment or environment.get(SWITCH) == AS_IS:
        return None
    if not {*instruction_sets(cpuinfo)} >= NEEDED:
        return None
    blas = loaded_blas()
    return blas.core_type if blas.name.startswith("OpenBLAS") and blas.core_type in LESSER else None


def blas_note() -> str:
    """A note on a core type that was raised, or that could be; empty if OpenBLAS chose the right one."""
    blas = loaded_blas()
    if blas.raised_from:
        return (
            f"OpenBLAS now runs as {blas.core_type}, which fits this CPU, not as {blas.raised_from} at half the speed; "
            f"{SWITCH}={AS_IS} turns this off."
        )
    if os.environ.get(SWITCH) == AS_IS and (lesser := lesser_core_type({})):
        return f"OpenBLAS runs as {lesser}, at about half the speed, because {SWITCH}={AS_IS} is set."
    return ""
