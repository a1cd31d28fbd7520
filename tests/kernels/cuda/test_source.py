"""CUDA sources: file names and line numbers, tile sizes that CUDA and Python share, and refusals."""

import re

import numpy as np
import pytest

import tinydnn.kernels.cuda
from tinydnn.kernels.cuda import source
from tinydnn.kernels.cuda.source import RawKernel, Source, sources

# The constants that Python reads, with the arguments of templates.
CONSTANTS = {
    "batchnorm2d.cu": ("THREADS", "LANES", "GROUPS"),
    "columns.cu": ("THREADS",),
    "direct_conv.cu": ("THREADS", "LANES", "GROUPS"),
    "elementwise.cu": ("THREADS",),
    "linear.cu": ("THREADS", "LANES", "GROUPS", "TILE", "CHUNK", "STAGES", "STAGE", "BLOCK"),
    "maxpool2d.cu": ("THREADS",),
    "one_channel.cu": ("TILE_HEIGHT", "TILE_WIDTH", "GROUP", "THREADS"),
    "pixels.cu": ("THREADS", "VECTOR"),
    "softmax_cross_entropy.cu": ("THREADS",),
    "step_result.cu": ("THREADS",),
    "sum_partials.cu": ("LANES", "GROUPS"),
    "tile_conv.cu": (
        "THREADS", "TILE", "TAPS", "CHUNK", "STAGE<16>", "STAGE<32>", "STAGE<64>", "BLOCK<16>", "BLOCK<32>", "BLOCK<64>"
    ),
    "tile_weight_gradient.cu": ("TILE_HEIGHT", "TILE_WIDTH", "OUT", "THREADS", "STAGE<16>", "STAGE<32>"),
    "update.cu": ("THREADS", "VECTOR", "ARRAYS", "COPYING_BLOCKS"),
}  # fmt: skip
TEMPLATE_PARAMETER = {"tile_conv.cu": "OUT", "tile_weight_gradient.cu": "IN"}


def constant_in_python(file, constant):
    name, argument = re.fullmatch(r"(\w+)(?:<(\d+)>)?", constant).groups()
    return sources()[file].constant(name, **({TEMPLATE_PARAMETER[file]: int(argument)} if argument else {}))


def test_every_cuda_file_is_used():
    assert {path.name for path in source.FOLDER.glob("*.cu")} == set(sources()) == set(CONSTANTS)


def test_every_constant_that_python_reads_is_checked():
    text = "".join(path.read_text() for path in source.FOLDER.glob("*.py") if path.name != "source.py")
    read = {name for line in text.splitlines() if "constant(" in line or "names =" in line
            for name in re.findall(r'"([A-Z_]+)"', line)}  # fmt: skip
    checked = {name.partition("<")[0] for names in CONSTANTS.values() for name in names}
    assert read | {"THREADS"} == checked


@pytest.mark.parametrize("file", CONSTANTS)
def test_cuda_and_python_agree_on_tile_sizes(file, device):
    names = CONSTANTS[file]
    stores = " ".join(f"values[{k}] = {name};" for k, name in enumerate(names))
    code = f'{sources()[file].text}\nextern "C" __global__ void constants(int* values) {{ {stores} }}\n'
    values = device.put(np.zeros(len(names), np.int32))
    RawKernel(code, "constants")((1,), (1,), (values,))
    assert device.get(values).tolist() == [constant_in_python(file, name) for name in names]


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that makes a source of a text, unknown to other tests."""
    monkeypatch.setattr(source, "FOLDER", tmp_path)
    monkeypatch.setattr(source, "_sources", {})

    def write(text):
        (tmp_path / "written.cu").write_text(text)
        return Source("written.cu")

    return write


def test_constants_may_depend_on_constants_and_template_arguments(written):
    text = "constexpr int A = 7, B = 2 * (A + 1),\n    C = B / 3;\ntemplate <int N> constexpr int D = N * C - A;\n"
    constant = written(text).constant
    assert [constant(name) for name in "ABC"] == [7, 16, 5]
    assert (constant("D", N=10), constant("D", N=2)) == (43, 3)


def test_a_missing_constant_is_named(written):
    constant = written(
        "constexpr int TILE = 16, EDGE = TILE + HALO;\nvoid f() {\n    constexpr int ROW = 4;\n}\n"
    ).constant
    for name, missing in (("WIDTH", "WIDTH"), ("ROW", "ROW"), ("EDGE", "HALO")):
        with pytest.raises(ValueError, match=rf"written\.cu: expected `constexpr int {missing}` outside functions"):
            constant(name)


def test_an_expression_that_python_cannot_evaluate_is_refused(written):
    with pytest.raises(
        ValueError, match=r"written\.cu: B: expected integers, \+ - \* / and parentheses, found 'A \? 1"
    ):
        written("constexpr int A = 1, B = A ? 1 : 2;").constant("B")


def test_line_directives_keep_file_names_and_line_numbers():
    text = sources()["tile_conv.cu"].text
    assert text.count('#line 1 "ptx.cuh"') == 1
    file, number, checked = "", 0, 0
    for line in text.splitlines():
        if directive := re.fullmatch(r'#line (\d+) "([\w.]+)"', line):
            number, file = int(directive[1]), directive[2]
            continue
        original = (source.FOLDER / file).read_text().splitlines()[number - 1]
        assert line == original or original == "#pragma once"
        number, checked = number + 1, checked + 1
    assert checked > 300


def test_an_unlisted_kernel_is_refused():
    with pytest.raises(ValueError, match=r"maxpool2d\.cu: expected one of maxpool_forward<float>"):
        tinydnn.kernels.cuda.maxpool2d.KERNELS.launch("maxpool_forward<int>", (1,), 1)
