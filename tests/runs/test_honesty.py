"""Nothing is selected, fitted or learned on test slices: wrong labels there leave the weights unchanged."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn.runs import Options, Run
from tinydnn.runs.crossval import CrossValidation
from tinydnn.runs.partition import partition

pytestmark = pytest.mark.usefixtures("no_plots")

OPTIONS = Options(model="batchnorm", size=16, batch_size=8, epochs=4, lr=0.02, augment="light", label_smoothing=0.1)
SELECTING = replace(OPTIONS, validation=0.3)
PROTOCOLS = {
    "slice": replace(OPTIONS, split="slice"),
    "patient": replace(OPTIONS, split="patient"),
    "slice, selecting": replace(SELECTING, split="slice"),
    "patient, selecting": replace(SELECTING, split="patient"),
    "fold by slice": replace(OPTIONS, split="slice", folds=3, fold=2),
    "fold by patient, selecting": replace(SELECTING, split="patient", folds=3, fold=1),
}


@pytest.fixture
def data(dataset):
    """Ninety slices of thirty patients, hard enough that epochs differ."""
    return dataset(90, noise=200, contrast=50)


def poisoned(data, test):
    """The dataset with a wrong label for each test slice."""
    labels = data.labels.copy()
    labels[test] = (labels[test] + 1) % 3
    return replace(data, labels=labels)


def train(folder, options, data, test):
    """The final weights of a run, and its metrics."""
    run = Run(folder, options, data)
    assert (run.split.test == test).all()
    run.start()
    list(run.records())
    metrics = run.finish()
    return {name: array.tobytes() for name, array in run.trainer.model.state().items()}, metrics


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_wrong_test_labels_leave_the_weights_unchanged(tmp_path, monkeypatch, protocol, data):
    options = PROTOCOLS[protocol]
    split = partition(options, data)
    monkeypatch.setattr("tinydnn.runs.run.partition", lambda *_: split)  # its strata depend on the labels
    weights, metrics = train(tmp_path / "right", options, data, split.test)
    poisoned_weights, poisoned_metrics = train(tmp_path / "wrong", options, poisoned(data, split.test), split.test)
    assert weights == poisoned_weights
    assert metrics["accuracy"] != poisoned_metrics["accuracy"]


def test_the_best_epoch_is_selected_by_the_validation_set(tmp_path, data):
    run = Run(tmp_path, PROTOCOLS["slice, selecting"], data)
    run.start()
    states = []
    for record in run.records():
        if not hasattr(record, "learning_rate"):
            states.append((record.loss, {name: a.copy() for name, a in run.trainer.model.state().items()}))
    run.finish()
    _, best = min(states, key=lambda state: state[0])
    assert all((array == best[name]).all() for name, array in run.trainer.model.state().items())


def test_the_sets_share_no_slice_and_by_patient_no_patient(data):
    for options in PROTOCOLS.values():
        split = partition(options, data)
        assert sorted([*split.train, *split.validation, *split.test]) == list(range(90))
        assert bool(len(split.validation)) == bool(options.validation)
        if options.split == "patient":
            train, validation, test = (set(data.patients[part]) for part in (split.train, split.validation, split.test))
            assert not train & validation
            assert not train & test
            assert not validation & test


def test_a_run_that_selects_ends_the_same_after_a_stop(tmp_path, data):
    def train_until_13(run):
        for record in run.records():
            if record.iteration == 13:
                run.save()
                return

    options, ends = PROTOCOLS["slice, selecting"], []
    for name in ("whole", "stopped"):
        run = Run(tmp_path / name, options, data)
        run.start()
        if name == "stopped":
            train_until_13(run)
            run = Run(tmp_path / name, options, data)
            run.start()
        list(run.records())
        run.finish()
        ends.append({key: array.tobytes() for key, array in run.trainer.model.state().items()})
    assert ends[0] == ends[1]


@pytest.mark.parametrize("by", ["slice", "patient"])
def test_cross_validation_holds_out_every_slice_once_and_pools(tmp_path, by, data):
    validation = CrossValidation(tmp_path, replace(OPTIONS, split=by, folds=3, epochs=1), data)
    for run in validation.runs():
        list(run.records())
        run.finish()
    assert list(validation.runs()) == []
    report = validation.finish()
    pooled, each = report["pooled"], report["each_fold"]
    assert [fold["slices"] for fold in each] == [30, 30, 30]
    assert pooled["slices"] == 90
    assert (np.sum([fold["confusion_matrix"] for fold in each], axis=0) == pooled["confusion_matrix"]).all()
    assert pooled["accuracy"] == pytest.approx(np.mean([fold["accuracy"] for fold in each]))
    assert pooled["per_patient"]["patients"] == 30
    assert pooled["interval_over"] == ("patients" if by == "patient" else "slices")


def test_each_fold_is_normalised_by_its_own_training_set(tmp_path, data):
    images = data.images.copy()
    images[::2] //= 2
    validation = CrossValidation(tmp_path, replace(OPTIONS, folds=3), replace(data, images=images))
    shifts = {run.trainer.normalise.shift for run in validation.runs()}
    assert len(shifts) == 3
