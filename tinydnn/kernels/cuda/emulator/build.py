"""From CUDA source to a library of this machine: rewritten where C++ has no such word, compiled once, and kept."""

import ctypes
import re
import subprocess
from functools import cache
from hashlib import sha256
from pathlib import Path

from tinydnn.storage import atomic_write, cache_folder

HERE = Path(__file__).parent
COMPILER = "g++"
# A call before every access to memory, which runtime.cpp answers in place of the sanitizer's own library.
CHECKED = ("-fsanitize=thread", "--param=tsan-instrument-func-entry-exit=0")
COMMON = ("-std=c++17", "-O1", "-g1", "-gdwarf-4", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off", "-w")
# A variable in shared memory; its type, its name and its sizes. Where it is `extern`, the launch says how large it is.
SHARED = re.compile(
    r"(?P<extern>extern\s+)?__shared__\s+(?:__align__\(\d+\)\s+|alignas\(\d+\)\s+)?"
    r"(?P<type>[\w:<> ,]+?)\s+(?P<name>\w+)\s*(?P<sizes>(?:\[[^\]]*\]\s*)*);"
)


class EmulatorError(Exception):
    """What is wrong with a kernel or with its launch, in one line."""


def library(source: str, name: str) -> Path:
    """The library with the kernel `name` (as in `forward<float>`) of the CUDA source, which is compiled if need be."""
    text = _translated(source, name)
    made = sha256("\0".join((_runtime_text(), text, *CHECKED, *COMMON)).encode()).hexdigest()[:24]
    folder = cache_folder() / "emulated"
    path = folder / f"{re.sub(r'[^a-zA-Z0-9]+', '-', name).strip('-')[:40]}-{made}.so"
    if not path.exists():
        runtime = _runtime(folder)
        with atomic_write(path) as out:
            code, compiled = out.with_suffix(".cpp"), out.with_suffix(".o")
            try:
                code.write_text(text)
                _compile(*COMMON, *CHECKED, f"-I{HERE}", "-c", str(code), "-o", str(compiled))
                _compile("-shared", str(compiled), str(runtime), "-o", str(out))
            finally:
                code.unlink(missing_ok=True)
                compiled.unlink(missing_ok=True)
    return path


def line_of(path: Path, offset: int) -> str:
    """The source line of an address in a library, as " (file.cu, line 12)"; nothing where it cannot be told."""
    try:
        command = ["addr2line", "-e", str(path), hex(offset - 1)]
        told = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""
    file, _, line = told.partition(" ")[0].rpartition(":")
    return f" ({Path(file).name}, line {line})" if line.isdigit() and int(line) else ""


def load(path: Path) -> ctypes.CDLL:
    """Open a library; one that is damaged is said so."""
    try:
        return ctypes.CDLL(str(path))
    except OSError as error:
        raise EmulatorError(f"{path}: expected a compiled kernel, found something else; remove it ({error})") from None


def _translated(source: str, name: str) -> str:
    body = SHARED.sub(_shared, source)
    return (
        f'#include "cuda.h"\n#line 1 "kernel.cu"\n{body}\n'
        f"static void emulated_kernel(void** given) {{ emulator::call(&{name}, given); }}\n"
        '#define EXPORTED extern "C" __attribute__((visibility("default")))\n'
        "EXPORTED void* emulator_kernel() { return reinterpret_cast<void*>(&emulated_kernel); }\n"
        f"EXPORTED const char* emulator_signature() {{ return emulator::signature(&{name}); }}\n"
    )


def _shared(found: re.Match[str]) -> str:
    lines = "\n" * found[0].count("\n")
    if found["extern"]:
        return f"{found['type']}* {found['name']} = static_cast<{found['type']}*>(emulator::dynamic_shared());{lines}"
    kind = f"{found['type']}{found['sizes'].strip()}"
    return f"auto& {found['name']} = emulator::shared_variable<{kind}, __COUNTER__>();{lines}"


def _runtime(folder: Path) -> Path:
    path = folder / f"runtime-{sha256(_runtime_text().encode()).hexdigest()[:24]}.o"
    if not path.exists():
        with atomic_write(path) as out:
            _compile(
                "-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", "-c", str(HERE / "runtime.cpp"), "-o", str(out)
            )
    return path


@cache
def _runtime_text() -> str:
    return "".join((HERE / name).read_text() for name in ("cuda.h", "fibres.h", "memory.h", "runtime.cpp"))


def _compile(*arguments: str) -> None:
    try:
        done = subprocess.run([COMPILER, *arguments], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EmulatorError(f"the emulator needs the compiler {COMPILER}, which is not installed") from None
    if done.returncode:
        told = [line for line in done.stderr.splitlines() if " error: " in line] or done.stderr.splitlines() or ["?"]
        raise EmulatorError(f"the kernel does not compile: {told[0]}")
