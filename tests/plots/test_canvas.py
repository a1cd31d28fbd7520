"""Plots are figures that a notebook shows; they are written atomically and reproducibly, as PNG, SVG or PDF."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tinydnn import plots
from tinydnn.errors import InputError
from tinydnn.plots.canvas import contrast, text_colour
from tinydnn.training.protocol import Step, Validation

RECORDS = [
    Step(1, 1, 0.02, 1.1, 0.3, 0.5), Step(1, 2, 0.02, 0.9, 0.6, 0.5), Validation(1, 2, 1.0, 0.5),
    Step(2, 3, 0.01, 0.6, 0.8, 0.5), Step(2, 4, 0.01, 0.5, 0.8, 0.5), Validation(2, 4, 0.7, 0.7),
]  # fmt: skip


def draw_progress() -> Figure:
    return plots.training_progress(RECORDS, title="baseline CNN, 2451 slices")


def draw_confusion() -> Figure:
    matrix, names = [[112, 25, 5], [14, 265, 6], [4, 8, 174]], ["meningioma", "glioma", "pituitary"]
    return plots.confusion_matrix(matrix=matrix, class_names=names, title="baseline CNN")


each_plot = pytest.mark.parametrize("draw", [draw_progress, draw_confusion])
each_suffix = pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf", ".PNG"])


@each_plot
def test_a_png_file_is_complete_and_alone_in_its_folder(tmp_path: Path, draw: Any) -> None:
    path = tmp_path / "plot.png"
    plots.save(draw(), path)
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert min(image.size) > 800
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("suffix", "first"), [(".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF-")])
def test_the_suffix_chooses_the_format(tmp_path: Path, suffix: str, first: bytes) -> None:
    plots.save(draw_progress(), tmp_path / f"plot{suffix}")
    assert (tmp_path / f"plot{suffix}").read_bytes().startswith(first)


@each_plot
def test_the_bytes_do_not_depend_on_what_was_written_before(tmp_path: Path, draw: Any) -> None:
    for suffix in (".png", ".svg", ".pdf"):
        plots.save(draw(), tmp_path / f"alone{suffix}")
        figure = draw()
        for other in (".pdf", ".svg", ".png"):
            plots.save(figure, tmp_path / f"other{other}")
        plots.save(figure, tmp_path / f"after{suffix}")
        assert (tmp_path / f"after{suffix}").read_bytes() == (tmp_path / f"alone{suffix}").read_bytes()


@each_plot
@each_suffix
def test_the_same_plot_has_the_same_bytes_under_any_settings(tmp_path: Path, draw: Any, suffix: str) -> None:
    first, second, third = (tmp_path / f"{name}{suffix}" for name in ("first", "second", "third"))
    figure = draw()
    plots.save(figure, first)
    plots.save(figure, second)
    with matplotlib.rc_context({"font.size": 20, "xtick.major.size": 20, "axes.facecolor": "black", "savefig.dpi": 50}):
        plots.save(draw(), third)
        assert matplotlib.rcParams["font.size"] == 20
    assert first.read_bytes() == second.read_bytes() == third.read_bytes()


def test_the_same_plot_has_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    program = f"""
import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_canvas import draw_confusion, plots
plots.save(draw_confusion(), sys.argv[1])
"""
    for suffix in (".svg", ".pdf"):
        plots.save(draw_confusion(), tmp_path / f"here{suffix}")
        subprocess.run([sys.executable, "-c", program, str(tmp_path / f"there{suffix}")], check=True)
        assert (tmp_path / f"here{suffix}").read_bytes() == (tmp_path / f"there{suffix}").read_bytes()


@pytest.mark.parametrize("name", ["plot.jpg", "plot", "png"])
def test_another_suffix_is_refused_and_nothing_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=rf"path: expected a name that ends in \.png, \.svg or \.pdf, found .*{name}$"):
        plots.save(draw_progress(), tmp_path / name)
    assert not list(tmp_path.iterdir())


@each_plot
def test_a_failed_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Any) -> None:
    def full_disk(figure: Any, path: Path, **settings: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    path = tmp_path / "plot.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    with pytest.raises(OSError, match="no space"):
        plots.save(draw(), path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_notebook_shows_a_figure_without_pyplot() -> None:
    program = """
import sys
from tinydnn import plots
figure = plots.confusion_matrix(matrix=[[1, 0], [0, 1]], class_names=["a", "b"], title="")
assert figure._repr_png_().startswith(b"\\x89PNG")
sys.exit("matplotlib.pyplot" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_a_figure_is_drawn_with_the_settings_of_the_package_wherever_it_is_drawn(tmp_path: Path) -> None:
    figure, same = draw_progress(), draw_progress()
    figure.savefig(tmp_path / "first.png")
    with matplotlib.rc_context({"xtick.labelsize": 30, "xtick.major.size": 20, "xtick.color": "red"}):
        same.savefig(tmp_path / "second.png")
    with Image.open(tmp_path / "first.png") as first, Image.open(tmp_path / "second.png") as second:
        assert first.tobytes() == second.tobytes()


def test_matplotlib_is_imported_by_the_first_plot_only() -> None:
    program = "import sys, tinydnn.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_contrast_is_that_of_wcag() -> None:
    assert contrast("white", "black") == pytest.approx(21)
    assert contrast("#777777", "white") == pytest.approx(4.48, abs=0.005)  # the well-known grey that just fails
    assert contrast("white", "#777777") == contrast("#777777", "white")
    assert contrast("#0072B2", "#0072B2") == 1


def test_black_or_white_has_enough_contrast_on_every_fill() -> None:
    levels = [level / 15 for level in range(16)]
    fills = [(red, green, blue) for red in levels for green in levels for blue in levels]
    assert min(contrast(text_colour(fill), fill) for fill in fills) >= 4.5
