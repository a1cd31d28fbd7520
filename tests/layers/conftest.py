"""The implementation that runs by default."""

import pytest

from tinydnn import ops


@pytest.fixture
def fastest():
    """A function: the name of the implementation of an operation that runs by default for these arguments."""

    def name(operation, *arguments, **options):
        return ops.operations()[operation].which(*arguments, **options)

    return name
