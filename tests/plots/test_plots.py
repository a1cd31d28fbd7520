"""Pictures are written whole, repeatably, and with all their text in view."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from tinydnn import plots
from tinydnn.plots import canvas
from tinydnn.plots.progress import smooth

NAMES = ["meningioma", "glioma", "pituitary"]
MATRIX = [[112, 25, 5], [14, 265, 6], [4, 8, 174]]
LONG_NAMES = ["choroid_plexus_papilloma_" * 4, "diffuse intrinsic pontine glioma of childhood", "x" * 17]


def history(iterations: int, per_epoch: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    steps = np.arange(1, iterations + 1)
    ends = steps[per_epoch - 1 :: per_epoch]
    return {
        "iterations": steps,
        "loss": 1.1 * np.exp(-2 * steps / iterations) * rng.uniform(0.8, 1.2, iterations),
        "accuracy": np.clip(steps / iterations + rng.normal(0, 0.05, iterations), 0, 1),
        "validation_iterations": ends,
        "validation_loss": 0.2 + 1.1 * np.exp(-2 * ends / iterations),
        "validation_accuracy": 0.9 * ends / iterations,
        "iterations_per_epoch": per_epoch,
        "title": "baseline CNN, 2451 slices",
    }


def without_validation(case: dict[str, Any]) -> dict[str, Any]:
    return case | {"validation_iterations": [], "validation_loss": [], "validation_accuracy": []}


def with_loss(case: dict[str, Any], **values: float) -> dict[str, Any]:
    """Return the history with the loss of some iterations changed: i7=400 is the 7th."""
    loss = np.array(case["loss"])
    for name, value in values.items():
        loss[int(name[1:]) - 1] = value
    return case | {"loss": loss}


HISTORIES = {
    "one iteration": history(1, 1),
    "one iteration, not validated": without_validation(history(1, 19)),
    "one epoch": history(7, 7),
    "thirty iterations": history(30, 3),
    "the usual": history(190, 19),
    "two thousand iterations": history(2000, 20),
    "an epoch broken off": history(143, 19),
    "not validated": without_validation(history(190, 19)),
    "a spike": with_loss(history(190, 19), i90=417.0),
    "spikes at the start": with_loss(history(30, 3), i2=900.0, i3=55.0, i4=8.0),
    "gaps": with_loss(history(30, 3), i5=np.nan, i6=np.inf),
    "no loss at all": history(30, 3) | {"loss": np.zeros(30), "validation_loss": np.zeros(10)},
    "nothing finite": without_validation(history(3, 3)) | {"loss": [np.nan] * 3},
    "validated before training": history(2, 2)
    | {"validation_iterations": [0, 2], "validation_loss": [1, 1], "validation_accuracy": [0.4, 1]},
}
MATRICES = {
    "the usual": (MATRIX, NAMES),
    "two classes": ([[812, 13], [0, 40]], ["no tumour", "tumour"]),
    "ten classes": (np.eye(10, dtype=int) * 1234 + 5, list("0123456789")),
    "long names": (MATRIX, LONG_NAMES),
    "ten long names": (np.eye(10, dtype=int), [f"{name} {k}" for k, name in enumerate(LONG_NAMES * 3 + ["y"])]),
    "large counts": (np.array(MATRIX) * 10**6, NAMES),
    "one class predicted": ([[0, 142, 0], [0, 285, 0], [0, 186, 0]], NAMES),
    "one class absent": ([[3, 1, 0], [0, 0, 0], [0, 0, 4]], NAMES),
    "signs of formulas": (MATRIX, ["$\\frac$", "a_b^c", "100 %"]),
    "scripts that the font does not have": (MATRIX, ["脑瘤", "뇌종양", "ورم"]),
    "an empty name": (MATRIX, ["", "a", "b"]),
}


@dataclass
class Drawn:
    """A figure that was drawn, and each text in it that is not blank."""

    figure: Figure
    texts: list[Text]

    @property
    def words(self) -> list[str]:
        return [text.get_text() for text in self.texts]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Drawn]:
    """Collect the figures instead of writing them."""
    figures: list[Drawn] = []
    draw_text = Text.draw

    def note(text: Text, renderer: Any) -> None:
        if text.get_text().strip() and text not in figures[-1].texts:
            figures[-1].texts.append(text)
        draw_text(text, renderer)

    def keep(figure: Figure, path: str | Path) -> None:
        figures.append(Drawn(figure, []))
        FigureCanvasAgg(figure).draw()

    monkeypatch.setattr(Text, "draw", note)
    monkeypatch.setattr(canvas, "save", keep)
    return figures


def assert_all_text_in_view(picture: Drawn) -> None:
    width, height = picture.figure.bbox.width, picture.figure.bbox.height
    for text in picture.texts:
        box = text.get_window_extent()
        inside = box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
        assert inside, f"{text.get_text()!r} lies at {box} in a picture of {width} x {height}"


@pytest.mark.parametrize("case", HISTORIES.values(), ids=HISTORIES)
def test_training_progress_shows_all_its_text(drawn: list[Drawn], case: dict[str, Any]) -> None:
    plots.training_progress("unused.png", **case, note="Slices of the same patient lie on both sides.")
    (picture,) = drawn
    assert_all_text_in_view(picture)
    assert {"Training progress", case["title"], "Accuracy (%)", "Loss", "Iteration"} <= set(picture.words)
    assert ("held-out" in picture.words) == (len(case["validation_iterations"]) > 0)


@pytest.mark.parametrize(("matrix", "names"), MATRICES.values(), ids=MATRICES)
def test_a_confusion_matrix_shows_all_its_text(drawn: list[Drawn], matrix: Any, names: list[str]) -> None:
    plots.confusion_matrix("unused.png", matrix=matrix, class_names=names, title="baseline CNN", note="note " * 40)
    (picture,) = drawn
    assert_all_text_in_view(picture)
    cells = [patch.get_window_extent() for patch in picture.figure.axes[0].patches]
    left, right, bottom, top = (np.array([getattr(cell, side) for cell in cells]) for side in ("x0", "x1", "y0", "y1"))
    for text in picture.texts:
        box = text.get_window_extent()
        x, y = (box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2
        around = (left < x) & (x < right) & (bottom < y) & (y < top)
        fits = (left <= box.x0) & (box.x1 <= right) & (bottom <= box.y0) & (box.y1 <= top)
        assert fits[around].all(), f"{text.get_text()!r} is larger than its cell"


def test_the_last_held_out_values_stand_at_the_right_end(drawn: list[Drawn]) -> None:
    case = history(190, 19)
    case["validation_accuracy"][-1], case["validation_loss"][-1] = 551 / 613, 0.3124
    plots.training_progress("unused.png", **case)
    assert {"89.9 %", "0.312"} <= set(drawn[0].words)


@pytest.mark.parametrize(
    ("iterations", "per_epoch", "labels"),
    [
        (190, 19, [f"Epoch {k}" for k in range(1, 11)]),
        (19, 19, ["Epoch 1"]),
        (21, 19, ["Epoch 1"]),
        (12, 1, ["Epochs 1–2", "Epochs 3–4", "Epochs 5–6", "Epochs 7–8", "Epochs 9–10", "Epochs 11–12"]),
        (2000, 20, ["Epochs 1–20", "Epochs 21–40", "Epochs 41–60", "Epochs 61–80", "Epochs 81–100"]),
    ],
)
def test_epochs_are_labelled_as_far_as_there_is_room(
    drawn: list[Drawn], iterations: int, per_epoch: int, labels: list[str]
) -> None:
    plots.training_progress("unused.png", **history(iterations, per_epoch))
    assert [text for text in drawn[0].words if text.startswith("Epoch")] == labels


def test_an_ordinary_loss_has_a_linear_scale_and_a_spike_a_broken_one(drawn: list[Drawn]) -> None:
    plots.training_progress("unused.png", **history(190, 19))
    plots.training_progress("unused.png", **with_loss(history(190, 19), i90=417.0))
    losses = [next(axes for axes in picture.figure.axes if axes.get_ylabel() == "Loss") for picture in drawn]
    assert [axes.get_yscale() for axes in losses] == ["linear", "symlog"]
    assert losses[1].get_ylim()[1] > 417
    assert "logarithmic\nabove" in drawn[1].words


def test_the_margins_of_the_confusion_matrix_hold_precision_recall_and_accuracy(drawn: list[Drawn]) -> None:
    plots.confusion_matrix("unused.png", matrix=MATRIX, class_names=NAMES, title="baseline CNN")
    found = drawn[0].words
    assert {"86.2 %", "88.9 %", "94.1 %"} <= set(found)  # 112/130, 265/298, 174/185
    assert {"78.9 %", "93.0 %", "93.5 %"} <= set(found)  # 112/142, 265/285, 174/186
    assert {"89.9 %", "551 of 613", "87.2–92.0 %"} <= set(found)
    assert "17.6 %" in found  # 25 of 142 meningiomas taken for gliomas


def draw_progress(path: Path) -> None:
    plots.training_progress(path, **history(30, 3))


def draw_confusion(path: Path) -> None:
    plots.confusion_matrix(path, matrix=MATRIX, class_names=NAMES, title="baseline CNN")


PICTURES = {"training progress": (draw_progress, (1500, 1042)), "confusion matrix": (draw_confusion, None)}


@pytest.mark.parametrize(("draw", "size"), PICTURES.values(), ids=PICTURES)
def test_the_file_is_a_whole_png_alone_in_its_folder(tmp_path: Path, draw: Any, size: Any) -> None:
    path = tmp_path / "picture.png"
    draw(path)
    with Image.open(path) as image:
        image.load()
        assert image.format == "PNG"
        assert image.info["dpi"] == pytest.approx((150, 150), abs=0.1)
        assert image.size == (size or image.size)
        assert min(image.size) > 800
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("draw", "size"), PICTURES.values(), ids=PICTURES)
def test_the_same_figures_give_the_same_bytes_whatever_the_settings(tmp_path: Path, draw: Any, size: Any) -> None:
    draw(tmp_path / "first.png")
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "savefig.dpi": 50}):
        draw(tmp_path / "second.png")
        assert matplotlib.rcParams["font.size"] == 20
    assert (tmp_path / "first.png").read_bytes() == (tmp_path / "second.png").read_bytes()


@pytest.mark.parametrize(("draw", "size"), PICTURES.values(), ids=PICTURES)
def test_a_failure_while_writing_leaves_the_old_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, draw: Any, size: Any
) -> None:
    def full_disk(figure: Any, path: Path, **settings: Any) -> None:
        path.write_bytes(b"half")
        raise OSError("no space left on device")

    path = tmp_path / "picture.png"
    path.write_bytes(b"old")
    monkeypatch.setattr("matplotlib.figure.Figure.savefig", full_disk)
    with pytest.raises(OSError, match="no space"):
        draw(path)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": [], "loss": [], "accuracy": []}, "iterations: expected at least one"),
        ({"loss": [1.0]}, "equal length"),
        ({"validation_loss": [[1.0]]}, "equal length"),
        ({"accuracy": np.full(30, 89.0)}, r"accuracy: expected shares in \[0, 1\], found 89"),
    ],
)
def test_a_wrong_history_is_named_and_nothing_is_written(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plots.training_progress(tmp_path / "picture.png", **history(30, 3) | change)
    assert not list(tmp_path.iterdir())


@given(st.lists(st.floats(-100, 100) | st.just(float("nan")), max_size=300))
@settings(deadline=None)
def test_smoothing_stays_within_the_values_and_keeps_gaps(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    result = smooth(array)
    known = np.isfinite(array)
    assert (np.isfinite(result) == known).all()
    if known.any():
        assert array[known].min() - 1e-9 <= result[known].min()
        assert result[known].max() <= array[known].max() + 1e-9


def test_smoothing_ignores_a_single_spike() -> None:
    flat = np.ones(200)
    flat[100] = 1000
    assert smooth(flat) == pytest.approx(np.ones(200))


def test_matplotlib_is_loaded_by_the_first_picture_only() -> None:
    program = "import sys, tinydnn.plots; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
