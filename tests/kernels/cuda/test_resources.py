"""Every kernel compiles for both architectures with the compiler that CuPy uses, and keeps its numbers in registers."""

import re
import warnings
from pathlib import Path

import pytest

from tinydnn.errors import InputError
from tinydnn.kernels.cuda import source
from tinydnn.kernels.cuda.resources import ARCHITECTURES, report, resources


@pytest.fixture(scope="module", params=ARCHITECTURES)
def found(request):
    """What each kernel needs on an architecture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy looks for a CUDA installation, which compiling does not need
            return resources(request.param)
    except InputError as error:
        if "found none (" in str(error):
            pytest.skip(str(error))
        raise


def test_every_kernel_compiles_and_none_spills(found):
    print(report(found))
    assert {one.kernel for one in found} == {kernel for one in source.sources().values() for kernel in one.kernels}
    assert [one for one in found if one.spilled] == []


def test_every_file_of_kernels_is_used():
    files = {path.name for path in Path(source.__file__).parent.glob("*.cu")}
    assert files == set(source.sources())


def test_lines_keep_the_names_and_numbers_of_their_files():
    text = source.sources()["tile_conv.cu"].text
    assert text.count('#line 1 "ptx.cuh"') == 1
    file, number, seen = "", 0, 0
    for line in text.splitlines():
        if directive := re.fullmatch(r'#line (\d+) "([\w.]+)"', line):
            number, file = int(directive[1]), directive[2]
            continue
        own = (Path(source.__file__).parent / file).read_text().splitlines()[number - 1]
        assert line == own or own == "#pragma once"
        number, seen = number + 1, seen + 1
    assert seen > 300


def test_a_kernel_that_is_not_in_the_list_is_refused():
    with pytest.raises(ValueError, match=r"maxpool2d\.cu: expected one of maxpool_forward<float>"):
        source.sources()["maxpool2d.cu"].launch("maxpool_forward<int>", (1,), 1)
