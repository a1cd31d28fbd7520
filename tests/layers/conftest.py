"""What the tests of layers share."""

import pytest

from tinydnn import ops


@pytest.fixture
def fastest():
    """A function that names the implementation of an operation that runs by itself, where it covers the arguments."""

    def name(operation):
        implementations = ops.operations()[operation].implementations.values()
        return max((one for one in implementations if one.device != "cuda"), key=lambda one: one.priority).name

    return name
