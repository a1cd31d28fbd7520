"""The training loop learns, yields records, ignores test labels, and resumes bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from tinydnn import SGD, Adam
from tinydnn.checkpoint import SavedModel, load_checkpoint, save_checkpoint
from tinydnn.data.dataset import Dataset
from tinydnn.errors import InputError
from tinydnn.models import MODELS
from tinydnn.ops import softmax_cross_entropy
from tinydnn.optim import constant, cosine, one_cycle, step
from tinydnn.training.evaluation import evaluate
from tinydnn.training.protocol import Step, Validation

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


@pytest.fixture
def dataset(easy_dataset):
    """Easy slices, most of them for training."""
    return easy_dataset(COUNT, SIDE)


@pytest.fixture
def trainer(dataset, simple_trainer):
    """A function that makes a trainer of a small model; two of the same arguments train alike."""

    def make(
        data=dataset,
        *,
        model="baseline",
        optimizer="sgd",
        schedule="constant",
        lr=0.01,
        epochs=3,
        batch_size=8,
        balance=False,
    ):
        network = MODELS[model](image_size=SIDE, seed=1)
        iterations = epochs * (len(TRAIN) // batch_size)
        return simple_trainer(
            network, OPTIMIZERS[optimizer](network.parameters(), lr), SCHEDULES[schedule](lr, iterations), data,
            TRAIN, TEST, batch_size, epochs, balance=balance,
        )  # fmt: skip

    return make


def full_state(trainer):
    """All that determines the rest of a training, as bytes and numbers."""
    return {
        "model": {name: array.tobytes() for name, array in trainer.model.state().items()},
        "optimizer": {
            (average, name): array.tobytes()
            for average, arrays in trainer.optimizer.state.items()
            for name, array in arrays.items()
        },
        "step counts": trainer.optimizer.step_counts,
        "random": trainer.model.random_state(),
        "iteration": trainer.iteration,
        "records": [replace(record, seconds=0.0) if isinstance(record, Step) else record for record in trainer.records],
    }


@pytest.mark.parametrize(
    ("model", "optimizer", "lr"), [("baseline", "sgd", 0.01), ("batchnorm", "adam", 0.01), ("regions", "adam", 0.01)]
)
def test_training_lowers_the_loss_and_learns_to_classify(trainer, model, optimizer, lr):
    training = trainer(model=model, optimizer=optimizer, lr=lr, epochs=12)
    records = list(training.run())
    losses = [record.loss for record in records if isinstance(record, Step)]
    assert np.mean(losses[-3:]) < 0.3 * np.mean(losses[:3])
    assert training.last_evaluation.accuracy == 1.0


def test_records_count_from_one_and_a_validation_ends_each_epoch(trainer):
    training = trainer()
    records = list(training.run())
    assert [(type(record).__name__, record.epoch, record.iteration) for record in records] == [
        ("Step", 1, 1), ("Step", 1, 2), ("Step", 1, 3), ("Validation", 1, 3),
        ("Step", 2, 4), ("Step", 2, 5), ("Step", 2, 6), ("Validation", 2, 6),
        ("Step", 3, 7), ("Step", 3, 8), ("Step", 3, 9), ("Validation", 3, 9),
    ]  # fmt: skip
    assert training.records == records
    assert all(type(value) in (int, float) for record in records for value in vars(record).values())
    assert all(record.seconds > 0 for record in records if isinstance(record, Step))


def test_each_step_uses_the_learning_rate_of_the_schedule(trainer):
    training = trainer(schedule="cosine", lr=0.02)
    learning_rates = [record.learning_rate for record in training.run() if isinstance(record, Step)]
    assert learning_rates == [cosine(0.02, iterations=9)(t) for t in range(9)]


def test_an_epoch_drops_a_partial_batch_and_repeats_no_slice(trainer, monkeypatch):
    batches = []
    training = trainer()
    read = Dataset.read
    monkeypatch.setattr(Dataset, "read", lambda self, indices: batches.append(indices) or read(self, indices))
    list(training.run())
    training_batches = [batch for batch in batches if not np.isin(batch, TEST).any()]
    assert [len(batch) for batch in training_batches] == [8] * 9
    epochs = [np.concatenate(training_batches[k : k + 3]) for k in (0, 3, 6)]
    assert all(len(np.unique(epoch)) == 24 for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3  # shuffled anew
    assert training.iterations_per_epoch == 3


def test_a_validation_equals_evaluate_and_changes_no_state(trainer):
    training = trainer(model="batchnorm")
    list(training.run())
    before = full_state(training)
    evaluation = evaluate(training.model, training.dataset, TEST, training.normalise)
    assert full_state(training) == before
    last = training.records[-1]
    assert (last.loss, last.accuracy) == (evaluation.loss, evaluation.accuracy)
    assert evaluation.probabilities.sum(axis=1) == pytest.approx(np.ones(len(TEST)), abs=1e-6)
    assert np.array_equal(evaluation.labels, training.dataset.labels[TEST])
    probabilities_of_labels = evaluation.probabilities[np.arange(len(TEST)), evaluation.labels]
    assert evaluation.loss == pytest.approx(-np.log(probabilities_of_labels).mean(), rel=1e-5)


def test_an_evaluation_does_not_depend_on_the_batch_size(trainer, monkeypatch):
    training = trainer(model="batchnorm")
    whole = evaluate(training.model, training.dataset, TEST, training.normalise)
    monkeypatch.setattr("tinydnn.training.evaluation.EVALUATION_BATCH", 4)
    in_batches = evaluate(training.model, training.dataset, TEST, training.normalise)
    assert in_batches.loss == pytest.approx(whole.loss, rel=1e-6)
    assert in_batches.probabilities == pytest.approx(whole.probabilities, abs=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_weights_do_not_depend_on_the_test_slices(trainer, dataset, model):
    images, labels = dataset.images.copy(), dataset.labels.copy()
    labels[TEST] = (labels[TEST] + 1) % 3
    images[TEST] = 255 - images[TEST]
    clean, poisoned = trainer(model=model), trainer(replace(dataset, images=images, labels=labels), model=model)
    list(clean.run())
    list(poisoned.run())
    assert full_state(clean)["model"] == full_state(poisoned)["model"]
    assert clean.last_evaluation.accuracy != poisoned.last_evaluation.accuracy


def test_a_region_network_requires_masks(trainer, dataset):
    with pytest.raises(InputError, match="model: expected slices with tumour masks"):
        trainer(replace(dataset, masks=None), model="regions")


def test_the_same_seed_gives_the_same_bits(trainer):
    first, second = trainer(), trainer()
    list(first.run())
    list(second.run())
    assert full_state(first) == full_state(second)


@pytest.mark.parametrize(
    ("model", "optimizer", "schedule"),
    [
        ("baseline", "sgd", "one-cycle"),
        ("baseline", "adam", "cosine"),
        ("batchnorm", "sgd", "step"),
        ("batchnorm", "adam", "constant"),
    ],
)
def test_a_checkpoint_of_any_iteration_resumes_to_the_same_bits(trainer, model, optimizer, schedule, tmp_path):
    options = {"model": model, "optimizer": optimizer, "schedule": schedule, "epochs": 2}
    whole = trainer(**options)
    checkpoints = []
    for count, _ in enumerate(whole.run()):  # after every record, validations included
        checkpoint = tmp_path / f"{count}.h5"
        save_checkpoint(checkpoint, whole, SavedModel(whole.model, whole.normalise, ("a", "b", "c")))
        checkpoints.append(checkpoint)
    assert len(checkpoints) == 8
    for checkpoint in checkpoints:
        resumed = trainer(**options)
        load_checkpoint(checkpoint, resumed)
        list(resumed.run())
        assert full_state(resumed) == full_state(whole), checkpoint.name


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_loss_that_is_not_finite_stops_and_suggests_a_lower_rate(trainer, optimizer):
    training = trainer(lr=1e30, optimizer=optimizer, schedule="one-cycle")
    with pytest.raises(InputError) as error:
        list(training.run())
    message = str(error.value)
    assert "training diverged: the loss of iteration" in message
    assert "lower learning rate than 1e+30, for example 1e+29" in message
    assert "\n" not in message
    assert all(np.isfinite(record.loss) for record in training.records)


def test_a_diverged_step_leaves_the_last_weights_and_counts_alone(trainer):
    diverging = trainer(lr=1e30)
    with pytest.raises(InputError, match="training diverged: the loss of iteration"):
        list(diverging.run())
    assert set(diverging.optimizer.step_counts.values()) == {diverging.iteration}
    assert all(np.isfinite(array).all() for array in diverging.model.state().values())


def test_a_held_out_loss_that_is_not_finite_stops_training(trainer):
    training = trainer(epochs=1, batch_size=28, lr=1e30)  # one iteration, whose loss is still finite
    with pytest.raises(InputError, match=r"the held-out loss after iteration 1 is (nan|inf)"):
        list(training.run())
    assert [type(record) for record in training.records] == [Step]


def test_weights_that_are_not_finite_are_refused_before_any_loss(trainer):
    training = trainer()
    training.model.parameters()["00-conv2d/weight"].value[0, 0, 0, 0] = np.inf
    with pytest.raises(InputError, match="the largest 00-conv2d/weight after iteration 0 is inf"):
        training.require_finite_weights()


@pytest.mark.parametrize("batch_size", [29, 1000])
def test_a_batch_larger_than_the_training_set_is_refused(trainer, batch_size):
    with pytest.raises(InputError, match=f"batch size: expected at most 28, .* found {batch_size}"):
        trainer(batch_size=batch_size)


def test_a_missed_validation_runs_first_when_training_continues(trainer):
    training = trainer(epochs=1)
    records = training.run()
    for _ in range(3):
        next(records)
    resumed = list(training.run())  # stopped between the last step and its validation
    assert [type(record) for record in resumed] == [Validation]


@pytest.mark.parametrize("model", ["baseline", "regions"])
def test_balance_adds_the_log_prior_in_training_and_validation(trainer, dataset, model):
    labels = np.where(np.arange(COUNT) < 16, 0, dataset.labels)  # most of the training slices are "a"
    data = replace(dataset, labels=labels)
    plain, balanced = (trainer(data, model=model, balance=balance) for balance in (False, True))
    log_prior = np.log(3 * np.bincount(data.labels[TRAIN]) / len(TRAIN))
    assert plain.log_prior is None
    assert balanced.log_prior == pytest.approx(log_prior, rel=1e-6)
    first, _ = (next(iter(training.run())) for training in (balanced, plain))
    untrained = -(log_prior - np.log(3))[data.labels[TRAIN]].mean()  # the loss at z = 0
    assert first.loss == pytest.approx(untrained, abs=0.35)
    records = [list(training.run()) for training in (balanced, plain)]
    assert records[0] != records[1]
    held_out = balanced.last_evaluation
    z = np.log(held_out.probabilities)
    expected = softmax_cross_entropy((z + log_prior).astype(np.float32), data.labels[TEST])[0]
    assert held_out.loss == pytest.approx(expected, rel=1e-4)  # comparable to the training loss
