"""Fine-tuning runs: frozen layers and phases, cached features, resuming, and invalid options."""

import json

import h5py
import numpy as np
import pytest

from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import TORCHVISION
from tinydnn.data.prepare import cache
from tinydnn.errors import InputError
from tinydnn.models import adapted
from tinydnn.optim import constant
from tinydnn.runs import FinetuneOptions, FinetuneRun
from tinydnn.runs.files import METRICS, MODEL
from tinydnn.training.features import cached_features
from tinydnn.training.finetuning import parse_phases, restarted
from tinydnn.weights import load

SIZE = 48


@pytest.fixture(scope="module")
def dataset(slices):
    return Dataset.open(cache.prepared(slices, size=SIZE))


def options(**changes):
    defaults = {
        "model": "squeezenet1_1",
        "weights": "random",
        "head": "gap",
        "epochs": 4,
        "batch_size": 16,
        "size": SIZE,
    }
    return FinetuneOptions(**{**defaults, **changes})


def finished(folder, dataset, **changes):
    run = FinetuneRun(folder, options(**changes), dataset)
    run.prepare(lambda done, total: None)
    folder.mkdir(exist_ok=True)
    run.start()
    for _ in run.records():
        pass
    return run, run.finish()


def state(run):
    return {name: value.copy() for name, value in run.trainer.model.state().items()}


def test_only_the_head_is_trained_on_a_frozen_trunk(dataset, tmp_path):
    run = FinetuneRun(tmp_path / "a", options(), dataset)
    before = state(run)
    run, metrics = finished(tmp_path / "b", dataset)
    for name, value in state(run).items():
        assert np.array_equal(value, before[name]) == ("features" in name), name
    assert set(run.trainer.optimizer.parameters) == {name for name in before if "head" in name}
    assert [phase["frozen_to"] for phase in metrics["phases"]] == ["features"]


def test_layers_thaw_in_their_epoch_and_not_before(dataset, tmp_path):
    run = FinetuneRun(tmp_path / "a", options(unfreeze="3:features.12"), dataset)
    run.prepare(lambda done, total: None)
    (tmp_path / "a").mkdir()
    run.start()
    before, changed = state(run), {}
    for record in run.records():
        changed[record.epoch] = {n for n, value in state(run).items() if not np.array_equal(value, before[n])}
    assert changed[2] == {name for name in before if "head" in name}
    assert changed[3] == {name for name in before if "head" in name or "features.12" in name}


def test_training_on_features_gives_the_same_result_as_on_images(dataset, tmp_path, monkeypatch):
    unfreeze = "3:features.12"
    _, with_features = finished(tmp_path / "a", dataset, unfreeze=unfreeze)
    monkeypatch.setattr("tinydnn.training.finetuning.LARGEST_FEATURES", 0)
    run, without = finished(tmp_path / "b", dataset, unfreeze=unfreeze)
    assert all("computed once" not in line for line in run.notes())
    assert with_features["loss"] == pytest.approx(without["loss"], rel=1e-4)
    assert with_features["confusion_matrix"] == without["confusion_matrix"]


def test_features_of_augmented_slices_are_not_cached(dataset, tmp_path):
    run, metrics = finished(tmp_path / "a", dataset, augment="rotate=5,flip", epochs=1)
    assert [run.trainer.feature_shape(phase) for phase in run.trainer.phases] == [None]
    assert metrics["phases"][0]["frozen_to"] == "features"
    initial = state(FinetuneRun(tmp_path / "b", options(), dataset))
    changed = {name for name, value in state(run).items() if not np.array_equal(value, initial[name])}
    assert changed == {name for name in initial if "head" in name}


def test_features_are_computed_once(dataset, tmp_path):
    model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=3, seed=7)
    front, _ = model.split_at(model.end_of("features"))
    calls = []
    first = cached_features(dataset, front, TORCHVISION, progress=lambda done, total: calls.append((done, total)))
    again = cached_features(dataset, front, TORCHVISION, progress=lambda done, total: calls.append("again"))
    assert calls == [(32, 60), (60, 60)]
    x = TORCHVISION(dataset.read(np.array([3, 40])))
    np.testing.assert_allclose(again.read(np.array([3, 40])), front.predict(x), rtol=1e-5, atol=1e-5)
    assert first.read(np.array([5])).dtype == np.float32
    next(iter(front.parameters().values())).value[0] += 1  # another weight, other features
    cached_features(dataset, front, TORCHVISION, progress=lambda done, total: calls.append("recomputed"))
    assert calls[2:] == ["recomputed", "recomputed"]


def test_the_same_options_give_the_same_bits_with_and_without_a_stop(dataset, tmp_path):
    whole, _ = finished(tmp_path / "one", dataset, unfreeze="3:features.12")
    stopped = FinetuneRun(tmp_path / "two", options(unfreeze="3:features.12"), dataset)
    stopped.prepare(lambda done, total: None)
    (tmp_path / "two").mkdir()
    stopped.start()
    for record in stopped.records():
        if record.iteration == 8:  # in the middle of the third epoch
            stopped.save()
            break
    resumed, _ = finished(tmp_path / "two", dataset, unfreeze="3:features.12")
    for name, value in state(whole).items():
        assert np.array_equal(value, state(resumed)[name]), name
    metrics = [json.loads((tmp_path / name / METRICS).read_text()) for name in ("one", "two")]
    assert metrics[0]["loss"] == metrics[1]["loss"]


def test_the_model_file_preprocesses_images_as_in_training(dataset, tmp_path):
    from tinydnn.checkpoint import load_model
    from tinydnn.training.evaluation import evaluate

    run, metrics = finished(tmp_path / "a", dataset)
    saved = load_model(tmp_path / "a" / MODEL)
    assert saved.normalise == TORCHVISION
    assert saved.size == SIZE
    evaluation = evaluate(saved.model, dataset, run.split.test, saved.normalise)
    assert evaluation.loss == pytest.approx(metrics["loss"], rel=1e-5)


def test_weights_are_loaded_with_their_preprocessing(dataset, tmp_path):
    _, _ = finished(tmp_path / "a", dataset, seed=5, freeze_to="none", epochs=1)
    weights = str(tmp_path / "a" / MODEL)
    run = FinetuneRun(tmp_path / "b", options(weights=weights, seed=6), dataset)
    other = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=3, seed=0)
    load(other, weights, module="features")
    for name, value in other.state().items():
        assert name.endswith("bias") or np.array_equal(state(run)[name], value) == ("features" in name), name
    run.prepare(lambda done, total: None)
    assert run.notes()[0].startswith(f"Weights: {weights}, 50 arrays of 722,496 elements loaded")


def test_learning_rates_of_trunk_and_head_are_those_of_the_options(dataset, tmp_path):
    run = FinetuneRun(tmp_path / "a", options(lr=0.002, head_lr=0.04, freeze_to="features.6"), dataset)
    scales = {name: parameter.lr_scale for name, parameter in run.trainer.model.parameters().items()}
    assert scales["06-features.6/00-squeeze/weight"] == 0
    assert scales["07-features.7/00-squeeze/weight"] == pytest.approx(0.05)
    assert scales["15-head.2/weight"] == 1


def test_the_schedule_restarts_in_each_phase():
    schedule = restarted(lambda length: lambda t: (length, t), [0, 30], 50)
    assert [schedule(t) for t in (0, 29, 30, 49)] == [(30, 0), (30, 29), (20, 0), (20, 19)]
    assert restarted(lambda length: constant(0.1), [0], 5)(4) == 0.1


@pytest.mark.parametrize(
    ("unfreeze", "words"),
    [
        ("features.12", "--unfreeze: expected EPOCH:LAYER, such as 6:features.24, found 'features.12'"),
        ("2:", "--unfreeze: expected EPOCH:LAYER"),
        ("1:features.12", "--unfreeze: expected an epoch after 1 and up to 9, found 1"),
        ("10:features.12", "--unfreeze: expected an epoch after 1 and up to 9, found 10"),
        ("4:features.12,3:features.9", "--unfreeze: expected an epoch after 4 and up to 9, found 3"),
        ("2:features.9,3:features.12", "--unfreeze: expected each phase to thaw more layers"),
        ("2:conv5", "--unfreeze: expected one of features, head, features.0"),
    ],
)
def test_invalid_phases_are_refused(unfreeze, words):
    model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=3, seed=0)
    with pytest.raises(InputError) as error:
        parse_phases(model, "features", unfreeze, epochs=9, trunk_lr_scale=0.1)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"model": "resnet50"}, "--from: expected one of vgg16, alexnet, squeezenet1_1, found 'resnet50'"),
        ({"head": "svm"}, "--head: expected one of linear, mlp, gap, found 'svm'"),
        ({"head_lr": 0.0}, "--head-lr: expected a number above 0, found 0.0"),
        ({"freeze_to": 3}, "--freeze-to: expected the name of a layer, found 3"),
    ],
)
def test_invalid_options_are_refused(changes, words):
    with pytest.raises(InputError, match=words):
        options(**changes)


def test_a_frozen_head_is_refused(dataset, tmp_path):
    with pytest.raises(InputError, match="--freeze-to: expected a layer of the network, found the head"):
        FinetuneRun(tmp_path / "a", options(freeze_to="head"), dataset)


def test_a_full_disk_is_reported_before_anything_is_written(dataset, tmp_path, monkeypatch):
    from types import SimpleNamespace

    from tinydnn.training import features

    monkeypatch.setattr(features.shutil, "disk_usage", lambda path: SimpleNamespace(free=1 << 10))
    model = adapted("squeezenet1_1", head="gap", image_size=SIZE, classes=3, seed=0)
    with pytest.raises(InputError, match="expected 0 MB of free disk for the features, found 0 MB"):
        features.write_features(tmp_path / "f.h5", dataset, model.split_at(13)[0], TORCHVISION)
    assert list(tmp_path.iterdir()) == []


def test_a_file_without_features_is_refused(dataset, tmp_path):
    from tinydnn.training.features import open_features

    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["feature"] = np.zeros((60, 2))
    for path in (tmp_path / "f.h5", tmp_path / "none.h5"):
        with pytest.raises(InputError, match="expected a file of features"):
            open_features(path, dataset)


def test_balance_sets_the_log_prior_of_the_trainer(dataset, tmp_path):
    assert FinetuneRun(tmp_path / "a", options(), dataset).trainer.log_prior is None
    assert FinetuneRun(tmp_path / "b", options(balance=True), dataset).trainer.log_prior.shape == (3,)


def test_features_need_not_be_computed_beforehand(dataset, tmp_path):
    run = FinetuneRun(tmp_path, options(epochs=1), dataset)
    run.start()
    list(run.records())
    assert run.finish()["feature_seconds"] == 0
