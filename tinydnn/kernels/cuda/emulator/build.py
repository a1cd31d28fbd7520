"""Compile CUDA source into a shared library for this machine: translated to C++, compiled once, then cached."""

import ctypes
import re
import subprocess
from functools import cache
from hashlib import sha256
from pathlib import Path

from tinydnn.storage import atomic_write, cache_folder

FOLDER = Path(__file__).parent
COMPILER = "g++"
# Insert a call before every memory access. runtime.cpp implements these calls, instead of the sanitizer's library.
SANITIZER = ("-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0")
OPTIONS = ("-std=c++17", "-O1", "-g1", "-gdwarf-4", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-w")
RUNTIME_OPTIONS = ("-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden")
# The declaration of a shared variable. The launch gives the size of an `extern` one.
SHARED = re.compile(
    r"(?P<extern>extern\s+)?__shared__\s+(?:__align__\(\d+\)\s+|alignas\(\d+\)\s+)?"
    r"(?P<type>[\w:<> ,]+?)\s+(?P<name>\w+)\s*(?P<sizes>(?:\[[^\]]*\]\s*)*);"
)


class EmulatorError(Exception):
    """A fault of a kernel or of its launch, in one line."""


def library(source: str, name: str) -> Path:
    """The path of the library with the kernel `name` (such as `forward<float>`) of the CUDA source.

    Compiles it unless it is cached. Raises `EmulatorError` if that fails.
    """
    text = _translated(source, name)
    digest = sha256("\0".join((_runtime_text(), text, *SANITIZER, *OPTIONS)).encode()).hexdigest()[:24]
    folder = cache_folder() / "emulated"
    path = folder / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name).strip('-')[:40]}-{digest}.so"
    if not path.exists():
        runtime = _runtime(folder)
        with atomic_write(path) as out:
            translated, compiled = out.with_suffix(".cpp"), out.with_suffix(".o")
            try:
                translated.write_text(text)
                _compile(*OPTIONS, *SANITIZER, f"-I{FOLDER}", "-c", str(translated), "-o", str(compiled))
                _compile("-shared", str(compiled), str(runtime), "-o", str(out))
            finally:
                translated.unlink(missing_ok=True)
                compiled.unlink(missing_ok=True)
    return path


def line_of(path: Path, offset: int) -> str:
    """The source line of an address in a library, as " (file.cu, line 12)"; empty if unknown."""
    try:
        command = ["addr2line", "-e", str(path), hex(offset - 1)]
        output = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
    file, _, line = output.partition(" ")[0].rpartition(":")
    return f" ({Path(file).name}, line {line})" if line.isdigit() and int(line) else ""


def load(path: Path) -> ctypes.CDLL:
    """Load a library. Raises `EmulatorError` if the file is damaged."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise EmulatorError(f"{path}: expected a compiled kernel, found something else; remove it ({error})") from None


def _translated(source: str, name: str) -> str:
    """The source as C++, followed by the functions through which `Function` runs the kernel."""
    body = SHARED.sub(_shared, source)
    return (
        f'#include "cuda.h"\n#line 1 "kernel.cu"\n{body}\n'
        f"static void emulated_kernel(void** arguments) {{ emulator::call(&{name}, arguments); }}\n"
        '#define EXPORTED extern "C" __attribute__((visibility("default")))\n'
        "EXPORTED void* emulator_kernel() { return reinterpret_cast<void*>(&emulated_kernel); }\n"
        f"EXPORTED const char* emulator_signature() {{ return emulator::signature(&{name}); }}\n"
    )


def _shared(declaration: re.Match[str]) -> str:
    """A shared variable's declaration in C++, of as many lines, so that line numbers stay right."""
    kind, name, lines = declaration["type"], declaration["name"], "\n" * declaration[0].count("\n")
    if declaration["extern"]:
        return f"{kind}* {name} = static_cast<{kind}*>(emulator::dynamic_shared());{lines}"
    array = f"{kind}{declaration['sizes'].strip()}"
    return f"auto& {name} = emulator::shared_variable<{array}, __COUNTER__>();{lines}"


def _runtime(folder: Path) -> Path:
    path = folder / f"runtime-{sha256(_runtime_text().encode()).hexdigest()[:24]}.o"
    if not path.exists():
        with atomic_write(path) as out:
            _compile(*RUNTIME_OPTIONS, "-c", str(FOLDER / "runtime.cpp"), "-o", str(out))
    return path


@cache
def _runtime_text() -> str:
    return "".join((FOLDER / name).read_text() for name in ("cuda.h", "fibres.h", "memory.h", "runtime.cpp"))


def _compile(*arguments: str) -> None:
    try:
        run = subprocess.run([COMPILER, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EmulatorError(f"the emulator needs the compiler {COMPILER}, which is not installed") from None
    if run.returncode:
        lines = run.stderr.splitlines()
        first = next((line for line in [*(line for line in lines if " error: " in line), *lines]), "?")
        raise EmulatorError(f"the kernel does not compile: {first}")
