"""What the tests of layers share."""

import pytest

from tinydnn import ops


@pytest.fixture
def fastest():
    """A function that names the implementation of an operation that runs by itself for these arguments."""

    def name(operation, *arguments, **options):
        implementations = ops.operations()[operation].implementations.values()
        able = (one for one in implementations if one.device != "cuda" and one.supports(*arguments, **options))
        return max(able, key=lambda one: one.priority).name

    return name
