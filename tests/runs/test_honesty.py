"""Nothing is ever chosen, fitted or learned on test slices: with their labels poisoned, the weights are the same."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.runs import Options, Run
from tinydnn.runs.crossval import CrossValidation
from tinydnn.runs.parts import parts

OPTIONS = Options(model="batchnorm", size=16, batch_size=8, epochs=4, lr=0.02, augment="light", label_smoothing=0.1)
CHOOSING = replace(OPTIONS, validation=0.3)
PROTOCOLS = {
    "slice": replace(OPTIONS, split="slice"),
    "patient": replace(OPTIONS, split="patient"),
    "slice, choosing": replace(CHOOSING, split="slice"),
    "patient, choosing": replace(CHOOSING, split="patient"),
    "fold by slice": replace(OPTIONS, split="slice", folds=3, fold=2),
    "fold by patient, choosing": replace(CHOOSING, split="patient", folds=3, fold=1),
}


def dataset():
    """Ninety slices of thirty patients, hard enough that epochs differ."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) // 3 % 3
    images = rng.integers(0, 200, (90, 1, 16, 16)).astype(np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += 50
    patients = np.array([f"P{number // 3}" for number in range(90)])
    return Dataset(images, labels, patients, ("a", "b", "c"), content="that", source="slices")


def poisoned(data, test):
    """The labels of the test slices moved round, so that each is wrong and the split stays the same."""
    labels = data.labels.copy()
    labels[test] = (labels[test] + 1) % 3
    return replace(data, labels=labels)


def trained(folder, options, data, test):
    """The weights that a run ends with, whatever the labels of its test slices say."""
    run = Run(folder, options, data)
    assert (run.split.test == test).all()
    run.start()
    list(run.records())
    metrics = run.finish()
    return {name: array.tobytes() for name, array in run.trainer.model.state().items()}, metrics


@pytest.fixture(autouse=True)
def no_pictures(monkeypatch):
    for name in ("training_progress", "confusion_matrix", "folds"):
        monkeypatch.setattr(f"tinydnn.plots.{name}", lambda path, **_: None)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_with_poisoned_test_labels_the_weights_are_the_same(tmp_path, monkeypatch, protocol):
    options, data = PROTOCOLS[protocol], dataset()
    split = parts(options, data)
    monkeypatch.setattr("tinydnn.runs.run.parts", lambda *_: split)  # which the labels decide, too: stratified
    good, metrics = trained(tmp_path / "good", options, data, split.test)
    bad, poisoned_metrics = trained(tmp_path / "bad", options, poisoned(data, split.test), split.test)
    assert good == bad
    assert metrics["accuracy"] != poisoned_metrics["accuracy"]


def test_the_epoch_is_chosen_by_the_validation_part(tmp_path, monkeypatch):
    options, data = PROTOCOLS["slice, choosing"], dataset()
    run = Run(tmp_path, options, data)
    run.start()
    states = []
    for record in run.records():
        if not hasattr(record, "learning_rate"):
            states.append((record.loss, {name: a.copy() for name, a in run.trainer.model.state().items()}))
    run.finish()
    _, best = min(states, key=lambda state: state[0])
    assert all((array == best[name]).all() for name, array in run.trainer.model.state().items())


def test_parts_share_no_slice_and_by_patient_no_patient():
    data = dataset()
    for options in PROTOCOLS.values():
        found = parts(options, data)
        assert sorted([*found.train, *found.validation, *found.test]) == list(range(90))
        assert bool(len(found.validation)) == bool(options.validation)
        if options.split == "patient":
            people = [set(data.patients[part]) for part in (found.train, found.validation, found.test)]
            assert not people[0] & people[1]
            assert not people[0] & people[2]
            assert not people[1] & people[2]


def test_a_run_that_chooses_ends_the_same_when_it_was_stopped(tmp_path):
    def stopped(run):
        for record in run.records():
            if record.iteration == 13:
                run.save()
                return

    options, ends = PROTOCOLS["slice, choosing"], []
    for name in ("whole", "stopped"):
        run = Run(tmp_path / name, options, dataset())
        run.start()
        if name == "stopped":
            stopped(run)
            run = Run(tmp_path / name, options, dataset())
            run.start()
        list(run.records())
        run.finish()
        ends.append({key: array.tobytes() for key, array in run.trainer.model.state().items()})
    assert ends[0] == ends[1]


@pytest.mark.parametrize("by", ["slice", "patient"])
def test_a_cross_validation_holds_every_slice_out_once_and_pools(tmp_path, by):
    validation = CrossValidation(tmp_path, replace(OPTIONS, split=by, folds=3, epochs=1), dataset())
    for run in validation.runs():
        list(run.records())
        run.finish()
    assert list(validation.runs()) == []
    report = validation.finish()
    pooled, each = report["pooled"], report["each_fold"]
    assert [one["slices"] for one in each] == [30, 30, 30]
    assert pooled["slices"] == 90
    assert (np.sum([one["confusion_matrix"] for one in each], axis=0) == pooled["confusion_matrix"]).all()
    assert pooled["accuracy"] == pytest.approx(np.mean([one["accuracy"] for one in each]))
    assert pooled["per_patient"]["patients"] == 30
    assert pooled["interval_over"] == ("patients" if by == "patient" else "slices")


def test_the_folds_of_a_cross_validation_are_fitted_to_their_own_training_part(tmp_path):
    data = dataset()
    images = data.images.copy()
    images[::2] //= 2
    validation = CrossValidation(tmp_path, replace(OPTIONS, folds=3), replace(data, images=images))
    shifts = {run.trainer.normalise.shift for run in validation.runs()}
    assert len(shifts) == 3
