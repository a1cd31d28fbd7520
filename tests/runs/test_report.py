"""The pictures of a run: what they say of the run agrees with its metrics."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.prepare import cache
from tinydnn.runs import FinetuneOptions, FinetuneRun, Options, Run

OPTIONS = Options(model="batchnorm", size=16, batch_size=8, epochs=3, lr=0.01)


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """A function that finishes a run and returns it, its metrics and the arguments of its training progress."""

    def draw(options, data, run_type=Run):
        shown = {}
        monkeypatch.setattr("tinydnn.plots.training_progress", lambda records, **given: shown.update(given))
        monkeypatch.setattr("tinydnn.plots.confusion_matrix", lambda **_: None)
        monkeypatch.setattr("tinydnn.plots.save", lambda *_: None)
        monkeypatch.setattr("tinydnn.runs.html_report.write_report", lambda *_, **__: None)
        run = run_type(tmp_path, options, data)
        run.start()
        list(run.records())
        return SimpleNamespace(run=run, metrics=run.finish(), **shown)

    return draw


def test_without_a_validation_set_the_curve_is_of_the_test_set_and_no_epoch_is_the_best(drawn, dataset):
    picture = drawn(OPTIONS, dataset())
    assert (picture.held_out, picture.best_epoch, picture.thaws) == ("test", None, {})
    accuracy = f"{100 * picture.metrics['accuracy']:.1f} % of the test slices correct"
    assert picture.title == f"batchnorm, 24 slices to train, 6 to test; {accuracy}"
    assert picture.note == "Split by slice. Nothing was selected on the test slices."


def test_with_a_validation_set_the_best_epoch_is_marked_and_the_words_say_which_set_is_which(drawn, dataset):
    picture = drawn(replace(OPTIONS, validation=0.25), dataset())
    losses = [validation.loss for validation in picture.run.trainer.validations]
    assert (picture.held_out, picture.best_epoch) == ("validation", 1 + losses.index(min(losses)))
    assert picture.title.startswith("batchnorm, 18 slices to train, 6 to validate, 6 to test; ")
    assert "The model of the best epoch was kept and tested. Nothing was selected on the test slices." in picture.note
    assert "held-out" not in picture.title + picture.note


def test_the_first_of_equally_good_epochs_is_the_best(drawn, dataset):
    unchanged = replace(OPTIONS, model="baseline", validation=0.25, lr=1e-30)  # too small to change a weight
    picture = drawn(unchanged, dataset())
    assert len({validation.loss for validation in picture.run.trainer.validations}) == 1
    assert picture.best_epoch == 1


def test_views_of_the_test_that_the_curve_lacks_are_named(drawn, dataset):
    picture = drawn(replace(OPTIONS, views=2), dataset())
    assert "The curve uses one view of each slice, the test 2." in picture.note
    assert f"{100 * picture.metrics['accuracy']:.1f} % of the test slices correct" in picture.title


def test_thawing_is_marked_by_its_epoch(drawn, slices):
    options = FinetuneOptions(
        model="squeezenet1_1", weights="random", head="gap", epochs=4, batch_size=16, size=48,
        freeze_to="features", unfreeze="2:features.12,4:features.0",
    )  # fmt: skip
    picture = drawn(options, Dataset.open(cache.prepared(slices, size=48)), FinetuneRun)
    first, second = picture.run.trainer.phases[1:]
    assert picture.thaws == {2: f"layers after {first.frozen_to} thaw", 4: "all layers thaw"}
    assert second.frozen_to is None
    assert "The learning rate is that of the head." in picture.note
