"""Training-progress plot: its text fits, epochs are labelled, spikes are scaled and curves are smoothed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tinydnn import plots
from tinydnn.plots.progress import smooth


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
    """The history with the loss of some iterations replaced: i7=400 is that of the 7th."""
    loss = np.array(case["loss"])
    for name, value in values.items():
        loss[int(name[1:]) - 1] = value
    return case | {"loss": loss}


HISTORIES = {
    "one iteration": history(1, 1),
    "one iteration, not validated": without_validation(history(1, 19)),
    "one epoch": history(7, 7),
    "thirty iterations": history(30, 3),
    "typical": history(190, 19),
    "two thousand iterations": history(2000, 20),
    "an interrupted epoch": history(143, 19),
    "not validated": without_validation(history(190, 19)),
    "a spike": with_loss(history(190, 19), i90=417.0),
    "spikes at the start": with_loss(history(30, 3), i2=900.0, i3=55.0, i4=8.0),
    "values that are not finite": with_loss(history(30, 3), i5=np.nan, i6=np.inf),
    "losses of zero": history(30, 3) | {"loss": np.zeros(30), "validation_loss": np.zeros(10)},
    "nothing finite": without_validation(history(3, 3)) | {"loss": [np.nan] * 3},
    "validated before training": history(2, 2)
    | {"validation_iterations": [0, 2], "validation_loss": [1, 1], "validation_accuracy": [0.4, 1]},
}


@pytest.mark.parametrize("case", HISTORIES.values(), ids=HISTORIES)
def test_training_progress_shows_all_its_text(drawn: list[Any], case: dict[str, Any]) -> None:
    plots.training_progress("unused.png", **case, note="Slices of the same patient lie on both sides.")
    (plot,) = drawn
    plot.assert_all_text_in_view()
    assert {"Training progress", case["title"], "Accuracy (%)", "Loss", "Iteration"} <= set(plot.words)
    assert ("held-out" in plot.words) == (len(case["validation_iterations"]) > 0)


def test_the_last_held_out_values_are_labelled(drawn: list[Any]) -> None:
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
def test_epochs_are_labelled_where_the_labels_fit(
    drawn: list[Any], iterations: int, per_epoch: int, labels: list[str]
) -> None:
    plots.training_progress("unused.png", **history(iterations, per_epoch))
    assert [text for text in drawn[0].words if text.startswith("Epoch")] == labels


def test_a_loss_is_scaled_linearly_but_with_spikes_logarithmically_above(drawn: list[Any]) -> None:
    plots.training_progress("unused.png", **history(190, 19))
    plots.training_progress("unused.png", **with_loss(history(190, 19), i90=417.0))
    losses = [next(axes for axes in plot.figure.axes if axes.get_ylabel() == "Loss") for plot in drawn]
    assert [axes.get_yscale() for axes in losses] == ["linear", "symlog"]
    assert losses[1].get_ylim()[1] > 417
    assert "logarithmic\nabove" in drawn[1].words


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"iterations": [], "loss": [], "accuracy": []}, "iterations: expected at least one"),
        ({"loss": [1.0]}, "equal length"),
        ({"validation_loss": [[1.0]]}, "equal length"),
        ({"accuracy": np.full(30, 89.0)}, r"accuracy: expected shares in \[0, 1\], found 89"),
    ],
)
def test_an_invalid_history_is_rejected_and_nothing_written(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        plots.training_progress(tmp_path / "plot.png", **history(30, 3) | change)
    assert not list(tmp_path.iterdir())


@given(st.lists(st.floats(-100, 100) | st.just(float("nan")), max_size=300))
@settings(deadline=None)
def test_smoothing_stays_within_the_values_and_preserves_nan(values: list[float]) -> None:
    array = np.array(values, dtype=np.float64)
    result = smooth(array)
    finite = np.isfinite(array)
    assert (np.isfinite(result) == finite).all()
    if finite.any():
        assert array[finite].min() - 1e-9 <= result[finite].min()
        assert result[finite].max() <= array[finite].max() + 1e-9


def test_smoothing_removes_a_single_outlier() -> None:
    flat = np.ones(200)
    flat[100] = 1000
    assert smooth(flat) == pytest.approx(np.ones(200))
