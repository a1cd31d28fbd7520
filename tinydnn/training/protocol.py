"""The input of a training, its protocol, and its output, the records."""

from dataclasses import dataclass
from typing import TypeAlias

from tinydnn.backend import Array
from tinydnn.data.augment import Augmentation


@dataclass(frozen=True)
class Step:
    """One iteration: loss and accuracy of its batch before the update. Epoch and iteration count from 1."""

    epoch: int
    iteration: int
    learning_rate: float
    loss: float
    accuracy: float
    seconds: float


@dataclass(frozen=True)
class Validation:
    """Loss and accuracy on the held-out slices after an epoch."""

    epoch: int
    iteration: int
    loss: float
    accuracy: float


Record: TypeAlias = Step | Validation

NO_AUGMENTATION = Augmentation()


@dataclass(frozen=True, eq=False)
class Protocol:
    """Which slices a model is trained and evaluated on, for how long, and how.

    train, held_out: indices of slices; the held-out ones are evaluated after every epoch. balance: train for equal
    class frequencies, see `tinydnn.training.loss`. select_best: `restore_best_state` restores the epoch with the lowest
    held-out loss; the held-out slices must not be test slices then. precision: of products on a GPU.
    """

    train: Array
    held_out: Array
    batch_size: int
    epochs: int
    seed: int = 0
    augment: Augmentation = NO_AUGMENTATION
    label_smoothing: float = 0.0
    balance: bool = False
    select_best: bool = False
    device: str = "cpu"
    precision: str = "fp32"
