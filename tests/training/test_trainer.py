"""The training loop: it learns, it tells what happens, it never looks at test labels, and it goes on exactly."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn import SGD, Adam
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.errors import InputError
from tinydnn.models import MODELS
from tinydnn.ops import softmax_cross_entropy
from tinydnn.optim import constant, cosine, one_cycle, step
from tinydnn.training.evaluation import evaluate
from tinydnn.training.trainer import Step, Trainer, Validation

SIDE, COUNT = 16, 37
TRAIN, TEST = np.arange(0, 28), np.arange(28, 37)
OPTIMIZERS = {
    "sgd": lambda parameters, lr: SGD(parameters, lr=lr, momentum=0.9, weight_decay=1e-3),
    "adam": lambda parameters, lr: Adam(parameters, lr=lr),
}
SCHEDULES = {
    "constant": lambda lr, iterations: constant(lr),
    "step": lambda lr, iterations: step(lr, every=4),
    "cosine": lambda lr, iterations: cosine(lr, iterations=iterations),
    "one-cycle": lambda lr, iterations: one_cycle(lr, iterations=iterations),
}


def easy_dataset():
    """Slices whose class is the third of the picture that is bright."""
    rng = np.random.default_rng(0)
    labels = np.arange(COUNT) % 3
    images = rng.integers(0, 60, (COUNT, 1, SIDE, SIDE)).astype(np.uint8)
    masks = np.zeros((COUNT, SIDE, SIDE), bool)
    for image, mask, label in zip(images, masks, labels, strict=True):
        image[0, 5 * label : 5 * label + 5] += 150
        mask[5 * label : 5 * label + 5] = True
    return Dataset(images, labels, np.array([""] * COUNT), ("a", "b", "c"), masks)


def trainer(
    dataset=None,
    *,
    model="baseline",
    optimizer="sgd",
    schedule="constant",
    lr=0.01,
    epochs=3,
    batch_size=8,
    balance=False,
):
    dataset = dataset or easy_dataset()
    network = MODELS[model](image_size=SIDE, seed=1)
    iterations = epochs * (len(TRAIN) // batch_size)
    return Trainer(
        network, OPTIMIZERS[optimizer](network.parameters(), lr), SCHEDULES[schedule](lr, iterations), dataset,
        Normalisation.fit(dataset, TRAIN), train=TRAIN, watch=TEST, batch_size=batch_size, epochs=epochs, seed=5,
        balance=balance,
    )  # fmt: skip


def without_seconds(records):
    return [replace(one, seconds=0.0) if isinstance(one, Step) else one for one in records]


def everything(one):
    """All that a training holds, as plain bytes and numbers."""
    return {
        "state": {name: array.tobytes() for name, array in one.model.state().items()},
        "slots": {
            (slot, name): array.tobytes()
            for slot, arrays in one.optimizer.state.items()
            for name, array in arrays.items()
        },
        "steps": one.optimizer.step_counts,
        "random": one.model.random_state(),
        "iteration": one.iteration,
        "records": without_seconds(one.records),
    }


@pytest.mark.parametrize(
    ("model", "optimizer", "lr"), [("baseline", "sgd", 0.01), ("batchnorm", "adam", 0.01), ("regions", "adam", 0.01)]
)
def test_the_loss_falls_and_the_test_slices_are_told_apart(model, optimizer, lr):
    one = trainer(model=model, optimizer=optimizer, lr=lr, epochs=12)
    records = list(one.run())
    losses = [record.loss for record in records if isinstance(record, Step)]
    assert np.mean(losses[-3:]) < 0.3 * np.mean(losses[:3])
    assert one.last_evaluation.accuracy == 1.0


def test_records_count_epochs_and_iterations_from_one_and_a_validation_ends_each_epoch():
    one = trainer()
    records = list(one.run())
    assert [(type(record).__name__, record.epoch, record.iteration) for record in records] == [
        ("Step", 1, 1), ("Step", 1, 2), ("Step", 1, 3), ("Validation", 1, 3),
        ("Step", 2, 4), ("Step", 2, 5), ("Step", 2, 6), ("Validation", 2, 6),
        ("Step", 3, 7), ("Step", 3, 8), ("Step", 3, 9), ("Validation", 3, 9),
    ]  # fmt: skip
    assert one.records == records
    assert all(type(value) in (int, float) for record in records for value in vars(record).values())
    assert all(record.seconds > 0 for record in records if isinstance(record, Step))


def test_the_learning_rate_of_each_step_is_the_schedules():
    one = trainer(schedule="cosine", lr=0.02)
    rates = [record.learning_rate for record in one.run() if isinstance(record, Step)]
    assert rates == [cosine(0.02, iterations=9)(t) for t in range(9)]


def test_a_last_partial_batch_is_dropped_and_no_slice_is_shown_twice_in_an_epoch(monkeypatch):
    dataset, seen = easy_dataset(), []
    one = trainer(dataset)
    read = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, indices: seen.append(indices) or read(self, indices))
    list(one.run())
    training = [batch for batch in seen if not np.isin(batch, TEST).any()]
    assert [len(batch) for batch in training] == [8] * 9
    epochs = [np.concatenate(training[k : k + 3]) for k in (0, 3, 6)]
    assert all(len(np.unique(epoch)) == 24 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3  # shuffled anew
    assert one.iterations_per_epoch == 3


def test_a_validation_is_what_evaluate_finds_and_leaves_the_model_alone():
    one = trainer(model="batchnorm")
    list(one.run())
    before = everything(one)
    found = evaluate(one.model, one.dataset, TEST, one.normalise)
    assert everything(one) == before
    last = one.records[-1]
    assert (last.loss, last.accuracy) == (found.loss, found.accuracy)
    assert found.probabilities.sum(axis=1) == pytest.approx(np.ones(len(TEST)), abs=1e-6)
    assert np.array_equal(found.labels, one.dataset.labels[TEST])
    right = found.probabilities[np.arange(len(TEST)), found.labels]
    assert found.loss == pytest.approx(-np.log(right).mean(), rel=1e-5)


def test_an_evaluation_does_not_depend_on_how_slices_fall_into_batches(monkeypatch):
    one = trainer(model="batchnorm")
    whole = evaluate(one.model, one.dataset, TEST, one.normalise)
    monkeypatch.setattr("tinydnn.training.evaluation.EVALUATION_BATCH", 4)
    parts = evaluate(one.model, one.dataset, TEST, one.normalise)
    assert parts.loss == pytest.approx(whole.loss, rel=1e-6)
    assert parts.probabilities == pytest.approx(whole.probabilities, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_labels_and_pictures_of_the_test_slices_have_no_part_in_the_weights(model):
    clean = easy_dataset()
    images, labels = clean.images.copy(), clean.labels.copy()
    labels[TEST] = (labels[TEST] + 1) % 3
    images[TEST] = 255 - images[TEST]
    one, poisoned = trainer(clean, model=model), trainer(replace(clean, images=images, labels=labels), model=model)
    list(one.run())
    list(poisoned.run())
    assert everything(one)["state"] == everything(poisoned)["state"]
    assert one.last_evaluation.accuracy != poisoned.last_evaluation.accuracy


def test_a_network_of_regions_needs_masks():
    with pytest.raises(InputError, match="model: expected slices with the masks of their tumours"):
        trainer(replace(easy_dataset(), masks=None), model="regions")


def test_the_same_seed_gives_the_same_bits():
    one, same = trainer(), trainer()
    list(one.run())
    list(same.run())
    assert everything(one) == everything(same)


@pytest.mark.parametrize(
    ("model", "optimizer", "schedule"),
    [
        ("baseline", "sgd", "one-cycle"),
        ("baseline", "adam", "cosine"),
        ("batchnorm", "sgd", "step"),
        ("batchnorm", "adam", "constant"),
    ],
)
def test_from_any_iteration_on_a_checkpoint_leads_to_the_same_bits(model, optimizer, schedule, tmp_path):
    options = {"model": model, "optimizer": optimizer, "schedule": schedule, "epochs": 2}
    whole = trainer(**options)
    stops = []
    for count, _ in enumerate(whole.run()):  # behind every record, validations included
        save_checkpoint(tmp_path / f"{count}.h5", whole, SavedModel(whole.model, whole.normalise, ("a", "b", "c")))
        stops.append(tmp_path / f"{count}.h5")
    assert len(stops) == 8
    for stop in stops:
        resumed = trainer(**options)
        load_checkpoint(stop, resumed)
        list(resumed.run())
        assert everything(resumed) == everything(whole), stop.name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loss_that_is_not_finite_stops_with_a_lower_rate_to_try(optimizer):
    one = trainer(lr=1e30, optimizer=optimizer, schedule="one-cycle")
    with pytest.raises(InputError) as error:
        list(one.run())
    message = str(error.value)
    assert "training diverged: the loss of iteration" in message
    assert "lower learning rate than 1e+30, for example 1e+29" in message
    assert "\n" not in message
    assert all(np.isfinite(record.loss) for record in one.records)


def test_a_held_out_loss_that_is_not_finite_stops_too():
    one = trainer(epochs=1, batch_size=28, lr=1e30)  # one iteration, whose loss is still good
    with pytest.raises(InputError, match=r"the held-out loss after iteration 1 is (nan|inf)"):
        list(one.run())
    assert [type(record) for record in one.records] == [Step]


def test_weights_that_are_not_finite_are_told_before_a_loss_shows_them():
    one = trainer()
    one.model.parameters()["00-conv2d/weight"].value[0, 0, 0, 0] = np.inf
    with pytest.raises(InputError, match="the largest 00-conv2d/weight after iteration 0 is inf"):
        one.require_finite_weights()


@pytest.mark.parametrize("batch_size", [29, 1000])
def test_a_batch_larger_than_the_training_part_is_refused(batch_size):
    with pytest.raises(InputError, match=f"batch size: expected at most 28, .* found {batch_size}"):
        trainer(batch_size=batch_size)


def test_a_validation_that_was_missed_is_made_up_for():
    one = trainer(epochs=1)
    running = one.run()
    for _ in range(3):
        next(running)
    records = list(one.run())  # as if begun anew, between the last step and its validation
    assert [type(record) for record in records] == [Validation]


@pytest.mark.parametrize("model", ["baseline", "regions"])
def test_with_balance_the_loss_expects_the_classes_as_often_as_the_training_slices_show_them(model):
    data = easy_dataset()
    data = replace(data, labels=np.where(np.arange(COUNT) < 16, 0, data.labels))  # most of the training part is "a"
    plain, balanced = (trainer(data, model=model, balance=balance) for balance in (False, True))
    prior = np.log(3 * np.bincount(data.labels[TRAIN]) / len(TRAIN))
    assert plain.log_prior is None
    assert balanced.log_prior == pytest.approx(prior, rel=1e-6)
    first, _ = (next(iter(one.run())) for one in (balanced, plain))
    assert first.loss == pytest.approx(-(prior - np.log(3))[data.labels[TRAIN]].mean(), abs=0.35)  # untrained: z ≈ 0
    records = [list(one.run()) for one in (balanced, plain)]
    assert records[0] != records[1]
    held_out = balanced.last_evaluation
    z = np.log(held_out.probabilities)
    expected = softmax_cross_entropy((z + prior).astype(np.float32), data.labels[TEST])[0]
    assert held_out.loss == pytest.approx(expected, rel=1e-4)  # as in training, so that both can be compared
