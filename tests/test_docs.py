"""The README files: links lead somewhere, Python blocks run, and figures agree."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
READMES = [README, ROOT / "CHANGELOG.md", *sorted(ROOT.glob("[bet]*/**/README.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in READMES]


def blocks(path: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)


def anchors(path: Path) -> set[str]:
    """The anchors that GitHub makes of the headings."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", READMES, ids=NAMES)
def test_every_relative_link_leads_to_a_file_and_heading(path):
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if link.startswith("https://"):
            continue
        file, _, anchor = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), f"{link}: no such file"
        assert not anchor or anchor in anchors(target), f"{link}: no such heading"


@pytest.mark.parametrize("path", [path for path in READMES if blocks(path, "python")], ids=str)
def test_every_python_block_runs(path):
    for block in blocks(path, "python"):
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_the_diagram_of_the_package_has_the_order_of_the_import_contract():
    [contract] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    expected = [layer.removeprefix("tinydnn.") for layer in contract["layers"]]
    diagram = (ROOT / "tinydnn" / "README.md").read_text().split("```")[1]
    found = re.findall(r"^ (\w+)", diagram, re.MULTILINE)
    assert found == [layer.partition(" ")[0] for layer in expected]


def test_the_first_two_shell_blocks_are_the_two_commands():
    first, second = blocks(README, "sh")[:2]
    assert first == "pip install . && tinydnn train --size 128 --batch-size 16\n"
    assert second == "pip install '.[test]' && pytest\n"


def test_the_results_of_the_readme_are_those_of_the_benchmarks():
    results = README.read_text().split("## Results")[1].split("##")[0]
    figures = re.findall(r"\*\*([\d.]+)\*\*", results)
    details = (ROOT / "benchmarks" / "README.md").read_text()
    assert len(figures) == 7
    for figure in figures:
        assert any(text in details for text in (f"**{figure}**", f"| {figure} |", f"| {figure} (")), figure


def test_the_readme_is_one_page():
    assert len(README.read_text().splitlines()) <= 150
