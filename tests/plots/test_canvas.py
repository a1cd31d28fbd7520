"""Plots are written atomically and reproducibly, and import matplotlib late."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image

from tinydnn import plots


def draw_progress(path: Path) -> None:
    plots.training_progress(
        path, iterations=[1, 2, 3, 4], loss=[1.1, 0.9, 0.6, 0.5], accuracy=[0.3, 0.6, 0.8, 0.8],
        validation_iterations=[2, 4], validation_loss=[1.0, 0.7], validation_accuracy=[0.5, 0.7],
        iterations_per_epoch=2, title="baseline CNN, 2451 slices",
    )  # fmt: skip


def draw_confusion(path: Path) -> None:
    matrix, names = [[112, 25, 5], [14, 265, 6], [4, 8, 174]], ["meningioma", "glioma", "pituitary"]
    plots.confusion_matrix(path, matrix=matrix, class_names=names, title="baseline CNN")


PLOTS = {"training progress": (draw_progress, (1500, 1042)), "confusion matrix": (draw_confusion, None)}
each_plot = pytest.mark.parametrize(("draw", "size"), PLOTS.values(), ids=PLOTS)


@each_plot
def test_a_plot_is_a_complete_png_alone_in_its_folder(tmp_path: Path, draw: Any, size: Any) -> None:
    path = tmp_path / "plot.png"
    draw(path)
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert image.size == (size or image.size)
        assert min(image.size) > 800
    assert list(tmp_path.iterdir()) == [path]


@each_plot
def test_the_same_plot_has_the_same_bytes_under_any_settings(tmp_path: Path, draw: Any, size: Any) -> None:
    draw(tmp_path / "first.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 50}):
        draw(tmp_path / "second.png")
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@each_plot
def test_a_failed_write_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Any, size: Any
) -> None:
    def full_disk(figure: Any, path: Path, **settings: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    path = tmp_path / "plot.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    with pytest.raises(OSError, match="no space"):
        draw(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_matplotlib_is_imported_by_the_first_plot_only() -> None:
    program = "import sys, tinydnn.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
