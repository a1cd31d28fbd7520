"""Every picture that the project draws has legible text: enough contrast, no overlap, nothing cut off.

Training progress and the confusion matrix have their cases in files of their own.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from legibility import draw, problems
from matplotlib.figure import Figure

from tinydnn import plots
from tinydnn.plots import Point, canvas

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"
NAMES = ["meningioma", "glioma", "pituitary"]
LONG = [f"diffuse intrinsic pontine glioma of childhood {k}" for k in range(10)]


def with_text(x: float, words: str, **properties: Any) -> Figure:
    figure = Figure(figsize=(4, 2))
    figure.text(x, 0.5, words, **properties)
    return figure


def test_white_text_on_light_blue_is_found() -> None:
    figure = with_text(0.3, "words", color="white")
    figure.set_facecolor("#56B4E9")
    (found,) = problems(draw(figure))
    assert found.startswith("'words' has a contrast of 2.")


def test_the_box_of_a_text_is_its_background() -> None:
    figure = Figure()
    figure.text(0.3, 0.5, "words", color="black", bbox={"facecolor": "black"})
    (found,) = problems(draw(figure))
    assert "has a contrast of 1.00:1" in found


def test_transparent_text_is_found() -> None:
    assert len(problems(draw(with_text(0.3, "words", color="black", alpha=0.3)))) == 1


def test_the_fill_behind_a_text_is_that_of_the_artist_on_top() -> None:
    figure = with_text(0.5, "words", color="white", ha="center", va="center")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.fill_between([0, 1], 1, color="white")
    figure.texts[0].set_zorder(5)
    assert len(problems(draw(figure))) == 1
    axes.fill_between([0, 1], 1, color="#0072B2")
    assert problems(draw(figure)) == []


def test_two_texts_that_overlap_are_found() -> None:
    figure = with_text(0.3, "some words")
    figure.text(0.4, 0.52, "others")
    assert problems(draw(figure)) == ["'some words' overlaps 'others'"]


def test_slanted_texts_overlap_only_where_their_turned_boxes_do() -> None:
    for distance, overlap in ((0.08, False), (0.01, True)):
        figure = Figure(figsize=(4, 4))
        for x in (0.3, 0.3 + distance):
            figure.text(x, 0.3, "slanted words", rotation=45, rotation_mode="anchor")
        assert bool(problems(draw(figure))) == overlap


def test_a_text_that_is_cut_off_is_found() -> None:
    (found,) = problems(draw(with_text(0.9, "words, and more words")))
    assert "is cut off" in found


def test_a_marker_behind_a_number_is_found() -> None:
    figure = with_text(0.5, "205", ha="center", va="center")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.axis("off")
    axes.plot(0.5, 0.5, "o", color="#CCCCCC", markersize=8)
    axes.set(xlim=(0, 1), ylim=(0, 1))
    assert any("has lines or markers behind it" in problem for problem in problems(draw(figure)))


def fold(accuracy: float, names: list[str], patients: int | None = 33, vote: float = 0.9) -> dict[str, Any]:
    """The report of a fold; its vote may lie on an end of its interval."""
    return {
        "accuracy": accuracy,
        "slices": 490,
        "accuracy_interval_95": [max(accuracy - 0.05, 0), min(accuracy + 0.03, 1)],
        "per_patient": patients and {"patients": patients, "mean_vote": vote},
        "per_class": {name: {"recall": accuracy if k else None} for k, name in enumerate(names)},
    }


def cross_validation(accuracies: list[float], names: list[str], **options: Any) -> dict[str, Any]:
    each = [fold(accuracy, names, **options) for accuracy in accuracies]
    return {"pooled": each[0] | {"slices": 2451}, "each_fold": each}


FOLDS = {
    "five folds": (cross_validation([0.949, 0.939, 0.934, 0.917, 0.965], NAMES), NAMES),
    "ten folds, ten long names": (cross_validation([0.9 + k / 100 for k in range(10)], LONG), LONG),
    "two classes": (cross_validation([0.5, 0.6], NAMES[:2], vote=0.45), NAMES[:2]),
    "unknown patients": (cross_validation([0.95] * 5, NAMES, patients=None), NAMES),
    "nothing right, all right": (cross_validation([0.0, 1.0], NAMES, vote=1.0), NAMES),
}


@pytest.mark.parametrize(("report", "names"), FOLDS.values(), ids=FOLDS)
def test_folds(report: dict[str, Any], names: list[str]) -> None:
    plot = draw(plots.folds(report=report, class_names=names, title="5 folds by patient", note="note " * 40))
    assert problems(plot) == []
    assert "Accuracy of the folds, recall of the classes (%)" in plot.words


def test_the_vote_of_the_patients_hides_no_end_of_an_interval() -> None:
    report = cross_validation([0.95, 0.95], NAMES, vote=0.9)  # exactly at the lower ends
    figure = plots.folds(report=report, class_names=NAMES, title="")
    draw(figure)
    lines = [line for line in figure.axes[0].lines if len(line.get_xdata())]
    intervals = [line for line in lines if len(line.get_xdata()) == 2]
    diamonds = [line for line in lines if line.get_marker() == "D"]
    assert (len(intervals), len(diamonds)) == (3, 3)
    for interval, diamond in zip(intervals, diamonds, strict=True):
        assert not interval.get_window_extent().overlaps(diamond.get_window_extent())


def points(gflops: float, labels: list[str]) -> list[Point]:
    """Kernels at and above the peaks, where their numbers would be hidden."""
    spots = zip(np.geomspace(0.3, 300, len(labels)), np.geomspace(0.5, 1.2, len(labels)) * gflops, strict=True)
    return [
        Point(label, direction, float(x), float(y))
        for label, (x, y) in zip(labels, spots, strict=True)
        for direction in ("forward", "backward")
    ]


@pytest.mark.parametrize(
    ("labels", "gflops", "gbytes"),
    [
        (["reference"], 205.0, 12.3),
        (["mine, backward: reference", "im2col", "winograd", "numba", "phases", "reference", "threads"], 31.4, 987.0),
        (["cuda"], 51_234.0, 4321.0),
    ],
)
def test_roofline(labels: list[str], gflops: float, gbytes: float) -> None:
    figure = plots.roofline(points(gflops, labels), gflops=gflops, gbytes=gbytes, title="conv2d", note="note " * 30)
    plot = draw(figure)
    assert problems(plot) == []
    assert any(f"{gflops:.0f} GFLOP/s" in word for word in plot.words)
    for axes in figure.axes:
        assert not axes.texts  # no number where a marker may be


@pytest.mark.parametrize(
    "sizes", [["8x10"], [f"{n}x10" for n in (8, 32, 128, 512)], [f"8x128x{n}x{n}" for n in (16, 32, 64, 128, 256)]]
)
@pytest.mark.parametrize("spread", [1.0, 1e6])
def test_times_by_size(sizes: list[str], spread: float) -> None:
    labels = ["reference", "mine, backward: reference", "im2col"]
    times = {
        (label, direction): list(np.geomspace(0.01, 0.01 * spread, len(sizes)) * (k + 1))
        for k, label in enumerate(labels)
        for direction in ("forward", "backward")
    }
    times["im2col", "backward"][0] = float("nan")
    assert problems(draw(plots.times_by_size(sizes, times, title="conv2d, float32"))) == []


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (4, 6)])
@pytest.mark.parametrize("masked", [False, True])
def test_augmentation(rows: int, columns: int, masked: bool) -> None:
    images = np.random.default_rng(0).integers(0, 256, (rows, columns, 32, 32)).astype(np.uint8)
    masks = images > 250 if masked else None
    figure = plots.augmentation(images=images, masks=masks, names=LONG[:rows], title="rotated by up to 10°, " * 9)
    plot = draw(figure)
    assert problems(plot) == []
    cells = [axes.get_window_extent() for axes in figure.axes]
    assert len(cells) == rows * columns
    for cell in cells:
        assert (cell.width, cell.height) == pytest.approx((1.25 * canvas.DPI, 1.25 * canvas.DPI))
    assert min(cell.y0 for cell in cells) > 0


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that returns the names in a script of benchmarks or examples."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    yield lambda path: runpy.run_path(str(ROOT / path))
    for benchmark in (ROOT / "benchmarks").glob("*.py"):
        sys.modules.pop(benchmark.stem, None)


def test_train_step_from_the_stored_results(script: Any) -> None:
    plot = draw(script("benchmarks/report.py")["draw"](json.loads((RESULTS / "train-step.json").read_text())))
    assert problems(plot) == []
    (axes,) = plot.figure.axes
    bars, lines = {bar.get_facecolor() for bar in axes.patches}, {line.get_color() for line in axes.lines}
    assert len(bars) == 2
    assert min(canvas.contrast(bar[:3], line) for bar in bars for line in lines) > 3  # WCAG, for shapes


def test_every_stored_result_that_has_a_picture_is_drawn(script: Any) -> None:
    figures = dict(script("benchmarks/pictures.py")["pictures"]())
    drawn = {path.stem for path in RESULTS.glob("*.png")}
    assert set(figures) == drawn - {"training-progress"}  # its records are not stored
    for figure in figures.values():
        assert problems(draw(figure)) == []


@pytest.mark.parametrize("factor", [1, 1e4])
def test_scaling_from_the_stored_results(script: Any, factor: float) -> None:
    results = json.loads((RESULTS / "scaling.json").read_text())
    for point in [*results["batch"], *results["size"], *results["slices"]]:
        point["peak_memory_mb"] *= factor
    figure = script("benchmarks/scaling.py")["draw"](results)
    assert problems(draw(figure)) == []
    for axes in figure.axes:
        for line in axes.lines:
            # A marker of 3 points has 1.5 points on each side of the last point.
            x, y = axes.transData.transform(line.get_xydata()).T
            inside = axes.get_window_extent().padded(-1.5 * canvas.DPI / 72)
            assert (x <= inside.x1).all()
            assert (y <= inside.y1).all()


@pytest.mark.parametrize("ends", [(0.776, 0.337), (0.4, 0.4), (0.41, 0.398), (0.0, 0.0), (1.0, 1.0)])
def test_leakage(script: Any, ends: tuple[float, float]) -> None:
    curves = {by: list(np.linspace(0.4, end, 30)) for by, end in zip(("slice", "patient"), ends, strict=True)}
    plot = draw(script("examples/leakage.py")["draw"](curves, 0.398, "2451 slices of 164 patients"))
    assert problems(plot) == []
    assert f"split by slice: {100 * ends[0]:.1f} %" in plot.words
