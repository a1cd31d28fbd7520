"""Every kernel that is deliberately wrong is caught, with a verdict that names its fault; right ones pass."""

import ast
from pathlib import Path

import pytest

import tinydnn.kernels  # noqa: F401 - registers its implementations
from tinydnn import ops
from tinydnn.bench.checking import ENOUGH, check
from tinydnn.bench.loading import load
from tinydnn.gradcheck.cases import CASES

WRONG = sorted((Path(__file__).parent / "wrong_kernels").glob("*.py"))


def operation_of(path):
    """The operation for which a file registers a kernel."""
    text = path.read_text()
    return next(name for name in ops.operations() if f"@ops.{name}." in text)


def expected_of(path):
    """What the file says is wrong with it."""
    assignments = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    return next(ast.literal_eval(one.value) for one in assignments if one.targets[0].id == "EXPECTED")


@pytest.fixture
def own(tmp_path):
    """A function that loads a kernel named "wrong" or "mine", which is gone after the test."""
    registered = []

    def load_one(path, operation):
        loaded = load(path, operation)
        registered.extend((operation, name) for name in loaded.names)
        return loaded

    yield load_one
    for operation, name in registered:
        ops.operations()[operation].implementations.pop(name, None)


def test_there_are_many():
    assert len(WRONG) >= 15


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_kernel_is_caught_by_its_fault(path, own):
    operation = operation_of(path)
    own(path, operation)
    outcome = check(operation, "wrong")
    assert not outcome.passed
    assert expected_of(path) in {finding.what for finding in outcome.findings}, [str(one) for one in outcome.findings]
    assert len(outcome.findings) <= ENOUGH
    for finding in outcome.findings:
        assert "\n" not in str(finding)
        assert finding.detail


@pytest.mark.parametrize("operation", sorted(ops.operations()))
def test_every_implementation_that_comes_with_the_package_is_right(operation):
    for name in ops.operations()[operation].names():
        outcome = check(operation, name)
        assert outcome.passed, [str(finding) for finding in outcome.findings]
        assert outcome.cases >= 7 or name == "pairs"


@pytest.mark.parametrize("operation", sorted(ops.operations()))
def test_a_kernel_is_checked_on_at_least_seven_shapes(operation):
    assert sum(case.operation == operation for case in CASES) >= 7


def test_a_forward_pass_alone_passes_and_is_known_as_such(own, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nfrom tinydnn import ops\n\n"
        '@ops.relu.forward("mine")\ndef relu(x):\n    return np.where(x > 0, x, 0)\n'
    )
    own(path, "relu")
    outcome = check("relu", "mine")
    assert outcome.passed
    assert outcome.forward_only


def test_a_kernel_that_supports_nothing_proves_nothing(own, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from tinydnn import ops\n\n"
        '@ops.relu.implementation("mine", supports=lambda call: False)\ndef relu(x):\n    return x, lambda dz: dz\n'
    )
    own(path, "relu")
    assert [finding.what for finding in check("relu", "mine").findings] == ["supports nothing"]
