"""Every kernel compiles for both architectures with NVRTC, the compiler that CuPy uses, and spills no registers."""

import warnings

import pytest

from tinydnn.errors import InputError
from tinydnn.kernels.cuda.resources import ARCHITECTURES, report, resources
from tinydnn.kernels.cuda.source import sources


@pytest.fixture(scope="module", params=ARCHITECTURES)
def usage(request):
    """The resources that each kernel uses on an architecture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # CuPy looks for a CUDA installation, which compiling does not need
            return resources(request.param)
    except InputError as error:
        if "found none (" in str(error):
            pytest.skip(str(error))
        raise


def test_every_kernel_compiles_and_none_spills(usage):
    print(report(usage))
    assert {kernel.name for kernel in usage} == {name for source in sources().values() for name in source.kernels}
    assert [kernel for kernel in usage if kernel.spilled] == []
