"""After `import tinydnn` every subpackage is there: it is imported when it is first used."""

import subprocess
import sys

import pytest

import tinydnn

LAZY = ["bench", "checkpoint", "data", "explain", "gradcheck", "metrics", "plots", "runs", "training", "weights"]


def printed_by(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("name", LAZY)
def test_a_subpackage_is_imported_when_it_is_first_used(name):
    code = f"import sys, tinydnn; print('tinydnn.{name}' in sys.modules, tinydnn.{name}.__name__)"
    assert printed_by(code) == f"False tinydnn.{name}"


def test_completion_offers_the_subpackages_before_they_are_imported():
    assert set(LAZY) <= set(printed_by("import tinydnn; print(*dir(tinydnn))").split())


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tinydnn' has no attribute 'dataset'"):
        _ = tinydnn.dataset


@pytest.mark.parametrize("package", ["bench", "data", "training"])
def test_the_public_names_of_a_subpackage_exist_and_are_no_modules(package):
    names = getattr(tinydnn, package).__all__
    assert names
    assert all(callable(getattr(getattr(tinydnn, package), name)) for name in names)
