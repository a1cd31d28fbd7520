"""The notebook: it is stored without outputs, runs from top to bottom, and is legible in every cell."""

import json
import re
from pathlib import Path

import pytest

TOUR = Path(__file__).parents[1] / "examples" / "tour.ipynb"


@pytest.fixture(scope="module")
def cells():
    return json.loads(TOUR.read_text("utf-8"))["cells"]


@pytest.fixture(scope="module")
def executed():
    """The cells by id, run in a kernel of their own; without Jupyter the test is skipped."""
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed: pip install 'tinydnn[notebook]'")
    nbformat = pytest.importorskip("nbformat")
    notebook = nbformat.read(TOUR, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    return {cell["id"]: cell for cell in notebook.cells}


def outputs(cell, kind):
    """The outputs of a cell that a notebook shows as this MIME type."""
    return [output["data"][kind] for output in cell["outputs"] if kind in output.get("data", {})]


def text(cell):
    return "".join(output.get("text", "") for output in cell["outputs"])


def test_it_is_stored_without_outputs(cells):
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_every_cell_has_a_name_of_its_own_and_no_other_metadata(cells):
    names = [cell["id"] for cell in cells]
    assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in names)
    assert all(cell["metadata"] == {} for cell in cells)


def test_the_model_the_dataset_and_the_report_are_shown_as_tables(executed):
    for name in ("load", "table", "report"):
        assert "<table>" in outputs(executed[name], "text/html")[0], name


def test_every_figure_is_shown_once(executed):
    shown = {name: len(outputs(cell, "image/png")) for name, cell in executed.items() if "outputs" in cell}
    assert {name: count for name, count in shown.items() if count} == dict.fromkeys(
        ["slices", "live", "hardest", "numeric", "compare"], 1
    )


def test_nothing_is_written_to_the_error_stream_and_no_escape_sequence_is_left(executed):
    for name, cell in executed.items():
        assert not [output for output in cell.get("outputs", ()) if output.get("name") == "stderr"], name
        assert "\x1b" not in json.dumps(cell.get("outputs", ()), ensure_ascii=False), name


def test_what_the_text_says_is_so(executed):
    before, after = map(float, re.findall(r"\d+\.\d+", text(executed["one-step"])))
    assert after < before
    assert "x: ok" in outputs(executed["proof"], "text/plain")[0]
    assert "x: wrong" in outputs(executed["caught"], "text/plain")[0]
    assert text(executed["verify"]).startswith("passed on")
    assert "conv2d: windows" in outputs(executed["same-losses"], "text/plain")[0]
    assert float(text(executed["same-losses"]).split()[-1]) < 1e-3
