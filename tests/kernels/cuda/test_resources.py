"""Every kernel compiles for three architectures with NVRTC, which CuPy uses; only known ones spill registers."""

import re
import warnings

import pytest

import tinydnn.kernels  # noqa: F401 - registers all sources
from tinydnn.kernels.cuda.source import sources

# The tiles are chosen for the registers of Ampere and Hopper; on Blackwell these spill up to 136 bytes a thread.
SPILL_ON_BLACKWELL = {
    "tile_conv<3, 64, false, true>",
    "tile_conv<3, 64, false, false>",
    "tile_conv<1, 64, false, true>",
    "tile_conv<1, 64, false, false>",
    "tile_conv<1, 32, false, true>",
    "tile_conv<1, 32, false, false>",
    "softmax_cross_entropy<float, int>",
}


@pytest.fixture(scope="module")
def nvrtc():
    """The compiler. It needs no GPU."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy looks for a CUDA installation, which compiling does not need
            from cupy_backends.cuda.libs import nvrtc

            nvrtc.destroyProgram(nvrtc.createProgram("", "empty.cu", [], []))  # CuPy loads NVRTC at the first call
    except Exception as error:
        pytest.skip(f"expected CuPy and NVRTC, found none ({error})")
    return nvrtc


def compile_log(nvrtc, source, architecture):
    """The compiler's log of a source, and the kernels by their names in the log."""
    program = nvrtc.createProgram(source.text, source.file, [], [])
    try:
        for kernel in source.kernels:
            nvrtc.addNameExpression(program, kernel)
        try:
            nvrtc.compileProgram(program, ["--std=c++17", f"-arch={architecture}", "--ptxas-options=-v"])
        except nvrtc.NVRTCError:
            pytest.fail(f"{source.file}: {nvrtc.getProgramLog(program).strip()}")
        names = {nvrtc.getLoweredName(program, kernel): kernel for kernel in source.kernels}
        return nvrtc.getProgramLog(program), names
    finally:
        nvrtc.destroyProgram(program)


@pytest.mark.parametrize("architecture", ["sm_80", "sm_90", "sm_100"])
@pytest.mark.parametrize("file", sources())
def test_every_kernel_compiles_and_only_known_ones_spill(nvrtc, file, architecture):
    log, names = compile_log(nvrtc, sources()[file], architecture)
    spilled = {}
    for section in log.split("Function properties for ")[1:]:
        name = re.match(r"'?(\w+)", section)[1]
        registers = re.search(r"Used (\d+) registers", section)[1]
        stores, loads = re.search(r"(\d+) bytes spill stores, (\d+) bytes spill loads", section).groups()
        if name in names:
            kernel = names[name]
            spilled[kernel] = int(stores) + int(loads)
            print(f"{file:24} {kernel:44} {architecture:6} {registers:>3} registers  {spilled[kernel]} bytes spilled")
    assert spilled.keys() == set(sources()[file].kernels)
    allowed = SPILL_ON_BLACKWELL if architecture == "sm_100" else set()
    assert {kernel for kernel, size in spilled.items() if size} == allowed & spilled.keys()
