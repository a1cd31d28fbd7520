"""A user's file of kernels is loaded, or refused with one line that names the fault."""

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
def _unregister():
    yield
    ops.sigmoid.unregister("mine")


def test_load_returns_the_registered_names_and_the_seconds(tmp_path):
    path = tmp_path / "kernel.py"
    path.write_text(GOOD)
    loaded = load(path, "sigmoid")
    assert loaded.names == ("mine",)
    assert 0 < loaded.seconds < 10
    assert load(path, "sigmoid").names == ("mine",)  # again, as in a notebook


@pytest.mark.parametrize(
    ("text", "message"),
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
def test_a_faulty_file_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "kernel.py"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load(path, "sigmoid")
    assert message in str(raised.value)
    assert str(raised.value).startswith(str(path))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(InputError, match="expected a Python file with a kernel, found nothing there"):
        load(tmp_path / "none.py", "sigmoid")
    with pytest.raises(InputError, match="found a folder"):
        load(tmp_path, "sigmoid")
