"""Explanations of a run: which slices are explained, and what the report says of them."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.checkpoint import load_model
from tinydnn.errors import InputError
from tinydnn.explain import METHODS
from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run, explaining
from tinydnn.runs.explaining import explain_slices, slices_to_explain, work
from tinydnn.runs.explanation_report import explanation_report
from tinydnn.runs.finished import finished_options, open_finished

OPTIONS = Options(model="baseline", size=16, batch_size=8, epochs=1, split="patient", test_fraction=0.4)
MASKS = np.zeros((30, 16, 16), bool)
MASKS[:, 4:8, 4:8] = True


def finish(folder, options, data, kind=Run):
    """Train a run and open it again."""
    run = kind(folder, options, data)
    run.start()
    list(run.records())
    run.finish()
    return open_finished(folder, finished_options(folder), load_model(folder / "model.h5"), data)


@pytest.fixture
def finished(dataset, tmp_path, no_plots):
    """A function that trains a run on slices with masks."""

    def train(options=OPTIONS, **changes):
        return finish(tmp_path / "run", options, dataset(**{"masks": MASKS, **changes}))

    return train


def test_a_finished_run_is_opened_with_its_split_and_model(finished):
    run = finished()
    assert run.options == OPTIONS
    assert len(run.split.test) == len(slices_to_explain(run))
    assert run.saved.class_names == ("a", "b", "c")


def test_a_finetuned_run_is_opened_too(dataset, tmp_path, no_plots):
    options = FinetuneOptions(
        model="squeezenet1_1", weights="random", size=48, batch_size=8, epochs=1, head="gap", split="patient"
    )
    rng = np.random.default_rng(0)
    images, masks = rng.integers(0, 256, (30, 1, 48, 48)).astype(np.uint8), rng.random((30, 48, 48)) < 0.1
    run = finish(tmp_path / "run", options, dataset(images=images, masks=masks), FinetuneRun)
    assert run.options == options
    explained = explain_slices(slices_to_explain(run, 2), METHODS["saliency"])
    assert len(explained.sanity.layers) == 26


def test_a_slice_whose_mask_is_empty_is_left_out(finished):
    run = finished()
    masks = MASKS.copy()
    masks[run.split.test[1]] = False
    slices = slices_to_explain(replace(run, dataset=replace(run.dataset, masks=masks)))
    assert slices.indices.tolist() == np.delete(run.split.test, 1).tolist()
    assert slices.without_mask == 1
    assert slices.mask_share == 1 / 16


def test_masks_that_are_all_empty_are_refused(finished):
    with pytest.raises(InputError, match="found empty masks only"):
        slices_to_explain(finished(masks=np.zeros_like(MASKS)))


def test_a_subset_is_random_and_the_same_every_time(finished):
    run = finished()
    few, again = slices_to_explain(run, 5), slices_to_explain(run, 5)
    assert few.indices.tolist() == again.indices.tolist() != run.split.test[:5].tolist()
    assert set(few.indices.tolist()) < set(run.split.test.tolist())


def test_slow_methods_explain_a_subset(finished, monkeypatch):
    monkeypatch.setattr(explaining, "SLOW", ("saliency",))
    monkeypatch.setattr(explaining, "SLOW_SLICES", 6)
    monkeypatch.setattr(explaining, "CURVE_SLICES", 4)
    slices = slices_to_explain(finished())
    calls = []
    slow = explain_slices(slices, METHODS["saliency"], lambda: calls.append(1))
    assert len(calls) == work(slices, [METHODS["saliency"]])
    assert (len(slow.positions), len(slow.curve_positions), slow.sanity_slices) == (6, 4, 2)
    report = explanation_report(slices, [slow, explain_slices(slices, METHODS["grad-cam"])])
    assert [entry["scores"]["all"]["slices"] for entry in report["methods"]] == [6, len(slices)]


def test_the_predicted_class_is_explained(finished):
    run = finished()
    slices = slices_to_explain(run)
    x = run.saved.normalise(run.dataset.read(run.split.test))
    assert (slices.predicted == run.saved.model.predict(x).argmax(axis=1)).all()


@pytest.mark.parametrize(
    ("options", "changes", "over"),
    [
        (OPTIONS, {}, "patients"),
        (replace(OPTIONS, split="slice"), {}, "slices"),  # their patients are in training too
        (replace(OPTIONS, split="slice"), {"patients": np.full(30, "")}, "slices"),
    ],
)
def test_intervals_are_over_new_patients_or_else_over_slices(finished, options, changes, over):
    slices = slices_to_explain(finished(options, **changes))
    report = explanation_report(slices, [explain_slices(slices, METHODS["saliency"])])
    assert report["protocol"]["interval_over"] == over


def test_a_single_patient_has_no_interval(finished):
    run = finished()
    (few,) = np.nonzero(run.dataset.patients[run.split.test] == run.dataset.patients[run.split.test[0]])
    slices = slices_to_explain(replace(run, split=replace(run.split, test=run.split.test[few])))
    (entry,) = explanation_report(slices, [explain_slices(slices, METHODS["saliency"])])["methods"]
    scores = [entry["scores"]["all"]["energy_inside"], entry["faithfulness"]["deletion"]]
    assert [score["interval_95"] for score in scores] == [None, None]


def test_a_group_without_slices_has_no_scores(finished):
    slices = slices_to_explain(finished())
    right = replace(slices, predicted=slices.labels)
    (entry,) = explanation_report(right, [explain_slices(right, METHODS["saliency"])])["methods"]
    assert entry["scores"]["wrong"] is None
    assert entry["scores"]["right"] == entry["scores"]["all"]
