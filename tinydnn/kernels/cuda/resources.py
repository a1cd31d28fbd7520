"""The registers and spills of each kernel, from NVRTC, the compiler that CuPy uses. No GPU is needed."""

import re
from dataclasses import dataclass

from tinydnn.errors import InputError
from tinydnn.kernels.cuda.source import Source, sources

ARCHITECTURES = ("sm_80", "sm_90")


@dataclass(frozen=True)
class Resources:
    """The resources of a kernel on an architecture: registers of a thread, and bytes spilled to local memory."""

    file: str
    name: str
    architecture: str
    registers: int
    spilled: int


def resources(architecture: str) -> list[Resources]:
    """Compile every kernel of the package for an architecture such as "sm_90".

    Raises `InputError` if CuPy or NVRTC is not installed, or with the compiler's message if a file does not compile.
    """
    import tinydnn.kernels.cuda  # noqa: F401 - registers all sources

    return [kernel for source in sources().values() for kernel in _compile(source, architecture)]


def report(kernels: list[Resources]) -> str:
    """A table with a line for each kernel."""
    lines = [f"{'file':24} {'kernel':44} {'for':6} registers  spilled bytes"]
    for kernel in kernels:
        figures = f"{kernel.architecture:6} {kernel.registers:9}  {kernel.spilled:13}"
        lines.append(f"{kernel.file:24} {kernel.name:44} {figures}")
    return "\n".join(lines)


def _compile(source: Source, architecture: str) -> list[Resources]:
    try:
        from cupy_backends.cuda.libs import nvrtc
    except ImportError as error:
        raise InputError(f"kernels: expected CuPy, to compile them, found none ({error})") from None
    try:
        program = nvrtc.createProgram(source.text, source.file, [], [])
    except Exception as error:  # CuPy loads NVRTC at the first call
        raise InputError(f"kernels: expected NVRTC, to compile them, found none ({error})") from None
    try:
        for kernel in source.kernels:
            nvrtc.addNameExpression(program, kernel)
        try:
            nvrtc.compileProgram(program, ["--std=c++17", f"-arch={architecture}", "--ptxas-options=-v"])
        except nvrtc.NVRTCError:
            raise InputError(f"{source.file}: {nvrtc.getProgramLog(program).strip()}") from None
        log = nvrtc.getProgramLog(program)
        names = {nvrtc.getLoweredName(program, kernel): kernel for kernel in source.kernels}
    finally:
        nvrtc.destroyProgram(program)
    kernels = []
    for section in re.split(r"Function properties for ", log)[1:]:
        name = re.match(r"'?(\w+)", section)
        registers = re.search(r"Used (\d+) registers", section)
        spills = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", section)
        if name is None or registers is None or spills is None:
            raise InputError(
                f"{source.file}: expected registers and spills in the compiler's log, found {section[:80]!r}"
            )
        if name[1] in names:
            spilled = int(spills[1]) + int(spills[2])
            kernels.append(Resources(source.file, names[name[1]], architecture, int(registers[1]), spilled))
    missing = set(source.kernels) - {kernel.name for kernel in kernels}
    if missing:
        raise InputError(f"{source.file}: expected figures of {', '.join(sorted(missing))}, found none in the log")
    return kernels
