"""Checkpoints: the training state is restored exactly, or refused if it does not fit the trainer."""

import numpy as np
import pytest

from tinydnn import SGD
from tinydnn.checkpoint import load_checkpoint, load_model, save_checkpoint
from tinydnn.data.dataset import Dataset
from tinydnn.optim import constant
from tinydnn.training.protocol import Protocol
from tinydnn.training.trainer import Trainer


@pytest.fixture
def make_trainer(small_model, saved):
    """A function that makes a trainer of the small model, always the same."""

    def make():
        images = np.zeros((8, 1, 16, 16), np.uint8)
        dataset = Dataset(images, np.arange(8) % 3, np.array([""] * 8), ("meningioma", "glioma", "pituitary"))
        model = small_model()
        return Trainer(
            model, SGD(model.parameters(), lr=0.1, momentum=0.9), constant(0.1), dataset, saved(model).normalise,
            Protocol(np.arange(4), np.arange(4, 8), batch_size=2, epochs=1),
        )  # fmt: skip

    return make


@pytest.fixture
def write(saved, tmp_path):
    """A function that writes the checkpoint of a trainer and returns its path."""

    def write(trainer):
        save_checkpoint(tmp_path / "checkpoint.h5", trainer, saved(trainer.model))
        return tmp_path / "checkpoint.h5"

    return write


def test_a_checkpoint_is_a_model_file_too(make_trainer, write):
    trainer = make_trainer()
    list(trainer.run())
    loaded = load_model(write(trainer))
    for key, array in trainer.model.state().items():
        assert np.array_equal(loaded.model.state()[key], array)


@pytest.mark.parametrize("steps", range(4))
def test_a_checkpoint_can_be_written_at_any_time(make_trainer, write, steps):
    trainer = make_trainer()
    running = trainer.run()
    for _ in range(steps):
        next(running)
    resumed = make_trainer()
    load_checkpoint(write(trainer), resumed)
    assert resumed.records == trainer.records
    assert resumed.iteration == trainer.iteration


def test_the_step_count_of_each_parameter_is_restored(make_trainer, write):
    trainer, resumed = make_trainer(), make_trainer()
    trainer.optimizer.step_counts = {name: k for k, name in enumerate(trainer.optimizer.parameters)}
    load_checkpoint(write(trainer), resumed)
    assert resumed.optimizer.step_counts == trainer.optimizer.step_counts


def replace_array(name, array):
    def change(file):
        del file[name]
        file[name] = array

    return change


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda file: file.__delitem__("training"), "a model without training state"),
        (lambda file: file["training"].attrs.__setitem__("iteration", 1), "with records of 2 iterations"),
        (lambda file: file["training"].attrs.__setitem__("random_state", "{}"), "05-dropout/rng"),
        (lambda file: file["training"].attrs.__delitem__("optimizer_steps"), "optimizer_steps"),
        (
            lambda file: file.__delitem__("training/optimizer/velocity"),
            "optimizer/velocity/00-conv2d/weight is missing",
        ),
        (
            replace_array("training/optimizer/velocity/00-conv2d/weight", np.zeros((16, 1, 3, 3))),
            "expected float32 (16, 1, 3, 3), found float64 (16, 1, 3, 3)",
        ),
        (
            replace_array("training/optimizer/velocity/00-conv2d/weight", np.zeros(3, np.float32)),
            "expected float32 (16, 1, 3, 3), found float32 (3,)",
        ),
        (replace_array("training/steps", np.zeros((2, 5))), ""),
        (replace_array("training/steps", np.zeros(2)), ""),
    ],
)
def test_a_state_that_does_not_fit_is_refused(make_trainer, write, change, words, resealed, refused):
    trainer = make_trainer()
    list(trainer.run())
    path = write(trainer)
    resealed(path, change)
    refused(path, words, lambda path: load_checkpoint(path, make_trainer()))


def test_a_checkpoint_of_another_model_is_refused(make_trainer, write, small_model, refused):
    trainer, other = make_trainer(), make_trainer()
    other.model = small_model(classes=4)
    refused(write(trainer), "expected shape (4, 16), found (3, 16)", lambda path: load_checkpoint(path, other))
