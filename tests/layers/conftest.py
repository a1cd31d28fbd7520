"""What the tests of layers share."""

import pytest

from tinydnn import ops


@pytest.fixture
def fastest():
    """A function that names the implementation of an operation that runs by itself for these arguments."""

    def name(operation, *arguments, **options):
        return ops.operations()[operation].which(*arguments, **options)

    return name
