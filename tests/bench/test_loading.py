"""A person's file of kernels is run, and what is wrong with it is told in one line."""

import pytest

from tinydnn import ops
from tinydnn.bench.loading import load
from tinydnn.errors import InputError

GOOD = """
from tinydnn import ops

@ops.sigmoid.implementation("mine")
def sigmoid(x):
    return ops.sigmoid.implementations["reference"].function(x)
"""


@pytest.fixture(autouse=True)
def _as_before():
    yield
    ops.sigmoid.implementations.pop("mine", None)


def test_it_tells_what_the_file_registered_and_how_long_that_took(tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(GOOD)
    loaded = load(path, "sigmoid")
    assert loaded.names == ("mine",)
    assert 0 < loaded.seconds < 10
    assert load(path, "sigmoid").names == ("mine",)  # again, as in a notebook


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("x = 1\n\nx.y\n", "line 3: AttributeError: 'int' object has no attribute 'y'"),
        ("def f(:\n", "line 1: SyntaxError"),
        ("import nowhere_to_be_found\n", "line 1: ModuleNotFoundError"),
        ("raise SystemExit(3)\n", "line 1: SystemExit: 3"),
        ("x = 1\n", "expected an implementation of sigmoid, as in @ops.sigmoid.implementation"),
        (GOOD.replace("(x):", "(x, y):"), "expected the parameters (x), found (x, y)"),
        (GOOD.replace('"mine"', '"reference"'), "expected a new name"),
    ],
)
def test_what_is_wrong_with_a_file_is_told_in_one_line(tmp_path, text, told):
    path = tmp_path / "kernel.py"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load(path, "sigmoid")
    assert told in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a Python file with a kernel, found nothing there"):
        load(tmp_path / "none.py", "sigmoid")
    with pytest.raises(InputError, match="found a folder"):
        load(tmp_path, "sigmoid")
