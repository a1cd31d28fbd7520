"""Training-progress plot: epochs, marks and the last iteration are labelled, spikes are scaled, curves are smoothed."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from legibility import Drawn, draw, problems
from matplotlib.axes import Axes

from tinydnn import plots
from tinydnn.plots.progress import smooth
from tinydnn.training.protocol import Record, Step, Validation


def history(iterations: int, per_epoch: int, *, validated: bool = True, **losses: float) -> list[Record]:
    """The records of a training run; i7=400 is the loss of the 7th iteration."""
    rng, records = np.random.default_rng(0), []
    for i in range(1, iterations + 1):
        loss = losses.get(f"i{i}", 1.1 * np.exp(-2 * i / iterations) * rng.uniform(0.8, 1.2))
        accuracy = float(np.clip(i / iterations + rng.normal(0, 0.05), 0, 1))
        epoch = (i - 1) // per_epoch + 1
        records.append(Step(epoch, i, 0.02 * np.sin(3 * i / iterations), loss, accuracy, seconds=0.5))
        if validated and i % per_epoch == 0:
            records.append(Validation(epoch, i, 0.2 + 1.1 * np.exp(-2 * i / iterations), 0.9 * i / iterations))
    return records


HISTORIES: dict[str, Any] = {
    "one iteration": history(1, 1),
    "one iteration, not validated": history(1, 19, validated=False),
    "one epoch": history(7, 7),
    "thirty iterations": history(30, 3),
    "typical": history(190, 19),
    "two thousand iterations": history(2000, 20),
    "hundreds of epochs": history(4000, 10),
    "an interrupted epoch": history(143, 19),
    "not validated": history(190, 19, validated=False),
    "a spike": history(190, 19, i90=417.0),
    "spikes at the start": history(30, 3, i2=900.0, i3=55.0, i4=8.0),
    "losses of zero": [replace(record, loss=0.0) for record in history(30, 3)],
    "accuracies of zero": [replace(record, accuracy=0.0) for record in history(30, 3)],
    "accuracies of one": [replace(record, accuracy=1.0) for record in history(30, 3)],
    "validated before training": [Validation(0, 0, 1.0, 0.4), *history(2, 2)],
}


@pytest.mark.parametrize("records", HISTORIES.values(), ids=HISTORIES)
@pytest.mark.parametrize("marked", [False, True])
def test_every_text_is_legible(records: list[Record], marked: bool) -> None:
    last = records[-1].epoch
    thaws = {epoch: f"layers after features.{epoch} thaw" for epoch in {last // 2 + 1, last}} if marked else {}
    figure = plots.training_progress(
        records, title="baseline CNN, 2451 slices", note="A note.", best_epoch=last if marked else None, thaws=thaws
    )
    plot = draw(figure)
    assert problems(plot) == []
    words = {"Training progress", "baseline CNN, 2451 slices", "Accuracy (%)", "Learning\nrate", "Iteration"}
    assert words <= set(plot.words)
    assert ("test" in plot.words) == any(isinstance(record, Validation) for record in records)
    assert len([word for word in plot.words if "thaw" in word]) == len(thaws)


def axes_of(plot: Drawn, label: str) -> Axes:
    return next(axes for axes in plot.figure.axes if axes.get_ylabel().startswith(label))


def test_the_last_values_of_the_held_out_set_are_labelled() -> None:
    *records, last = history(190, 19)
    plot = draw(plots.training_progress([*records, replace(last, accuracy=551 / 613, loss=0.3124)], title=""))
    assert {"89.9 %", "0.312"} <= set(plot.words)


def test_the_held_out_set_has_its_own_name() -> None:
    words = draw(plots.training_progress(history(30, 3), title="", held_out="validation")).words
    assert "validation" in words
    assert "test" not in words


def test_the_best_epoch_is_marked_with_its_values() -> None:
    records = history(190, 19)
    best = next(record for record in records if isinstance(record, Validation) and record.epoch == 3)
    plot = draw(plots.training_progress(records, title="", best_epoch=3))
    assert f"↓ best epoch: 3 ({100 * best.accuracy:.1f} %, loss {best.loss:.3f})" in plot.words
    lines = [line.get_xdata()[0] for line in axes_of(plot, "Accuracy").lines if line.get_linestyle() == "-."]
    assert lines == [57]
    assert not [word for word in draw(plots.training_progress(records, title="")).words if "best" in word]


def test_thawing_is_marked_before_the_first_iteration_of_its_epoch() -> None:
    records = history(100, 19)  # epochs 1 to 6
    thaws = {4: "layers after features.23 thaw", 6: "all layers thaw", 7: "never reached"}
    plot = draw(plots.training_progress(records, title="", thaws=thaws))
    for label in ("Accuracy", "Loss", "Learning"):
        lines = [line.get_xdata()[0] for line in axes_of(plot, label).lines if line.get_linestyle() == "-."]
        assert lines == [57.5, 95.5]
    assert {"all layers thaw ↓", "layers after features.23 thaw ↓"} <= set(plot.words)
    assert not [word for word in plot.words if "never" in word]


def test_the_learning_rate_of_each_iteration_is_drawn() -> None:
    records = history(30, 3)
    (line,) = axes_of(draw(plots.training_progress(records, title="")), "Learning").lines
    assert line.get_ydata().tolist() == [record.learning_rate for record in records if isinstance(record, Step)]


@pytest.mark.parametrize(("seconds", "words"), [(0.1, "19 s"), (2.0, "6 min"), (100.0, "5.3 h"), (0.00123, "0.234 s")])
def test_the_note_begins_with_the_duration(seconds: float, words: str) -> None:
    records = [replace(record, seconds=seconds) for record in history(190, 190, validated=False)]
    plot = draw(plots.training_progress(records, title="", note="A note."))
    assert f"190 iterations in {words}. A note." in plot.words


@pytest.mark.parametrize("iterations", [1, 2, 7, 19, 143, 150, 190, 999, 2000, 2001])
def test_the_last_iteration_has_a_tick(iterations: int) -> None:
    plot = draw(plots.training_progress(history(iterations, 19), title=""))
    ticks = axes_of(plot, "Learning").get_xticks().tolist()
    assert ticks[-1] == iterations
    assert len(ticks) <= 12
    assert str(iterations) in plot.words


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
def test_epochs_are_labelled_where_the_labels_fit(iterations: int, per_epoch: int, labels: list[str]) -> None:
    plot = draw(plots.training_progress(history(iterations, per_epoch), title=""))
    assert [text for text in plot.words if text.startswith("Epoch")] == labels


def test_a_loss_is_scaled_linearly_but_with_spikes_logarithmically_above() -> None:
    usual = axes_of(draw(plots.training_progress(history(190, 19), title="")), "Loss")
    spike = axes_of(draw(plots.training_progress(history(190, 19, i90=417.0), title="")), "Loss")
    assert (usual.get_yscale(), spike.get_yscale()) == ("linear", "symlog")
    assert spike.get_ylim()[1] > 417
    assert (usual.get_ylabel(), spike.get_ylabel()) == ("Loss", "Loss (logarithmic\nabove 2)")


@pytest.mark.parametrize("records", [[], [Validation(0, 0, 1.0, 0.4)]])
def test_records_without_a_step_are_refused(records: list[Record]) -> None:
    with pytest.raises(ValueError, match="records: expected at least one step, found none"):
        plots.training_progress(records, title="")


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=300))
@settings(deadline=None)
def test_smoothing_stays_within_the_values(values: list[float]) -> None:
    result = smooth(values)
    assert result.shape == (len(values),)
    assert min(values) - 1e-9 <= result.min()
    assert result.max() <= max(values) + 1e-9


def test_smoothing_is_a_gaussian_mean_by_its_formula() -> None:
    x = np.random.default_rng(0).normal(size=200)
    sigma, far, i = 200 / 80, 8, 100  # far: ⌊3σ + ½⌋
    w = np.exp(-((np.arange(200) - i) ** 2) / (2 * sigma**2)) * (abs(np.arange(200) - i) <= far)
    assert smooth(x)[i] == pytest.approx((w * x).sum() / w.sum())


def test_smoothing_keeps_the_mean() -> None:
    x = np.random.default_rng(0).binomial(8, 0.92, size=300) / 8
    assert smooth(x).mean() == pytest.approx(x.mean())
