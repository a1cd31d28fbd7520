"""What the kernels need of a GPU, as the compiler that CuPy uses (NVRTC) tells it; no GPU is needed to ask."""

import re
from dataclasses import dataclass

from tinydnn.errors import InputError
from tinydnn.kernels.cuda.source import Source, sources

ARCHITECTURES = ("sm_80", "sm_90")


@dataclass(frozen=True)
class Resources:
    """Of a kernel on an architecture: registers of a thread, bytes of them that do not fit and go through memory."""

    file: str
    kernel: str
    architecture: str
    registers: int
    spilled: int


def resources(architecture: str) -> list[Resources]:
    """Compile every kernel of the package for an architecture such as "sm_90".

    Raises `InputError` where CuPy or NVRTC is not installed, and with the compiler's words where it refuses a file.
    """
    import tinydnn.kernels.cuda  # noqa: F401 - all files are known then

    return [one for source in sources().values() for one in _of(source, architecture)]


def _of(source: Source, architecture: str) -> list[Resources]:
    try:
        from cupy_backends.cuda.libs import nvrtc
    except ImportError as error:
        raise InputError(f"kernels: expected CuPy, to compile them, found none ({error})") from None
    try:
        program = nvrtc.createProgram(source.text, source.file, [], [])
    except Exception as error:  # CuPy looks for the compiler's library at the first call
        raise InputError(f"kernels: expected NVRTC, to compile them, found none ({error})") from None
    try:
        for kernel in source.kernels:
            nvrtc.addNameExpression(program, kernel)
        try:
            options = ["--std=c++17", f"-arch={architecture}", "--ptxas-options=-v"]
            nvrtc.compileProgram(program, options)
        except nvrtc.NVRTCError:
            raise InputError(f"{source.file}: {nvrtc.getProgramLog(program).strip()}") from None
        log = nvrtc.getProgramLog(program)
        names = {nvrtc.getLoweredName(program, kernel): kernel for kernel in source.kernels}
    finally:
        nvrtc.destroyProgram(program)
    found = []
    for part in re.split(r"Function properties for ", log)[1:]:
        name = re.match(r"'?(\w+)", part)
        registers = re.search(r"Used (\d+) registers", part)
        spilled = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", part)
        if name is None or registers is None or spilled is None:
            raise InputError(
                f"{source.file}: expected the compiler's words on registers and spills, found {part[:80]!r}"
            )
        if name[1] in names:
            spills = int(spilled[1]) + int(spilled[2])
            found.append(Resources(source.file, names[name[1]], architecture, int(registers[1]), spills))
    missing = set(source.kernels) - {one.kernel for one in found}
    if missing:
        raise InputError(f"{source.file}: expected figures of {', '.join(sorted(missing))}, found none in the log")
    return found


def report(found: list[Resources]) -> str:
    """A line for each kernel."""
    lines = [f"{'file':24} {'kernel':44} {'for':6} registers  spilled bytes"]
    for one in found:
        lines.append(f"{one.file:24} {one.kernel:44} {one.architecture:6} {one.registers:9}  {one.spilled:13}")
    return "\n".join(lines)
