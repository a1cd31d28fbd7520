"""Every deliberately wrong kernel is caught with a verdict that names its fault; right kernels pass."""

import ast
from pathlib import Path

import pytest

import tinydnn.kernels  # noqa: F401 - registers its implementations
from tinydnn import ops
from tinydnn.bench.checking import MOST_FINDINGS, check
from tinydnn.bench.loading import load
from tinydnn.gradcheck.cases import CASES

WRONG = sorted((Path(__file__).parent / "wrong_kernels").glob("*.py"))


def operation_of(path):
    """The operation for which a file registers a kernel."""
    text = path.read_text()
    return next(name for name in ops.operations() if f"@ops.{name}." in text)


def expected_of(path):
    """The verdict that the file declares."""
    assignments = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.Assign)]
    return next(ast.literal_eval(node.value) for node in assignments if node.targets[0].id == "EXPECTED")


@pytest.fixture
def load_kernel():
    """A function that loads a file of kernels; they are unregistered after the test."""
    registered = []

    def load_temporarily(path, operation):
        loaded = load(path, operation)
        registered.extend((operation, name) for name in loaded.names)
        return loaded

    yield load_temporarily
    for operation, name in registered:
        ops.operations()[operation].unregister(name)


def test_there_are_at_least_fifteen_wrong_kernels():
    assert len(WRONG) >= 15


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_kernel_is_caught_by_its_fault(path, load_kernel):
    operation = operation_of(path)
    load_kernel(path, operation)
    outcome = check(operation, "wrong")
    assert not outcome.passed
    assert expected_of(path) in {finding.kind for finding in outcome.findings}, [
        str(finding) for finding in outcome.findings
    ]
    assert len(outcome.findings) <= MOST_FINDINGS
    for finding in outcome.findings:
        assert "\n" not in str(finding)
        assert finding.detail


def test_a_right_kernel_passes_on_every_case_of_its_operation():
    outcome = check("relu", "reference")
    assert outcome.passed, [str(finding) for finding in outcome.findings]
    assert outcome.cases == sum(case.operation == "relu" for case in CASES)


def test_when_the_time_is_up_only_numeric_derivatives_are_left_out(load_kernel):
    outcome = check("relu", "reference", seconds=0)
    assert outcome.passed
    assert outcome.unproven == outcome.cases
    assert check("relu", "reference").unproven == 0


def test_a_forward_only_kernel_passes_and_is_marked(load_kernel, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\nfrom tinydnn import ops\n\n"
        '@ops.relu.forward("mine")\ndef relu(x):\n    return np.where(x > 0, x, 0)\n'
    )
    load_kernel(path, "relu")
    outcome = check("relu", "mine")
    assert outcome.passed
    assert outcome.forward_only


def test_a_kernel_that_supports_nothing_fails(load_kernel, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "from tinydnn import ops\n\n"
        '@ops.relu.implementation("mine", supports=lambda call: False)\ndef relu(x):\n    return x, lambda dz: dz\n'
    )
    load_kernel(path, "relu")
    assert [finding.kind for finding in check("relu", "mine").findings] == ["supports nothing"]
