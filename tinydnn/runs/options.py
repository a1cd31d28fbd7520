"""What a training run is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from tinydnn import optim
from tinydnn.errors import InputError
from tinydnn.layers import Parameter
from tinydnn.models import MODELS

OPTIMIZERS = {"sgd": 0.02, "adam": 0.001}  # with the learning rate where none is given
SCHEDULES = ("constant", "step", "cosine", "one-cycle")


@dataclass(frozen=True)
class Options:
    """The choices of a run; with the data and the versions in `config.json`, they determine its result.

    data: the path that was given, or None for phantoms. lr: the learning rate, or None for the optimiser's own.
    Raises `InputError` that names the option, what was expected and what was found.
    """

    data: str | None = None
    model: str = "baseline"
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "one-cycle"
    size: int = 256
    split: str = "slice"
    test_fraction: float = 0.2
    normalise: str = "standard"
    seed: int = 0
    skip_broken: bool = False
    device: str = "cpu"

    models: ClassVar[Mapping[str, object]] = MODELS
    normalisations: ClassVar[tuple[str, ...]] = ("standard", "minmax")
    command: ClassVar[str] = "train"

    def __post_init__(self) -> None:
        # These may come from a file, too.
        require("data", self.data, isinstance(self.data, str | None), "a path")
        require("device", self.device, isinstance(self.device, str), "a name")
        for name in ("epochs", "batch_size", "size", "seed"):
            value = getattr(self, name)
            require(name.replace("_", "-"), value, type(value) is int, "a whole number")
        one_of(self.flag("model"), self.model, self.models)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("split", self.split, ("slice", "patient"))
        one_of("normalise", self.normalise, self.normalisations)
        require("epochs", self.epochs, self.epochs >= 1, "at least 1")
        require("batch-size", self.batch_size, self.batch_size >= 1, "at least 1")
        require("size", self.size, 16 <= self.size <= 1024, "16 to 1024 pixels")
        require("seed", self.seed, self.seed >= 0, "at least 0")
        require("test-fraction", self.test_fraction, 0 < self.test_fraction < 1, "a number between 0 and 1")
        require("momentum", self.momentum, 0 <= self.momentum < 1, "at least 0 and below 1")
        decay = self.weight_decay
        require("weight-decay", decay, isfinite(decay) and decay >= 0, "a number of at least 0")
        rate = self.learning_rate
        require("lr", rate, isfinite(rate) and rate > 0, "a number above 0")

    def flag(self, name: str) -> str:
        """What an option is called on the command line, without its dashes."""
        return name.replace("_", "-")

    def chosen(self, name: str) -> object:
        """The value of an option, also where it was left open."""
        return self.learning_rate if name == "lr" else getattr(self, name)

    @property
    def learning_rate(self) -> float:
        """The rate at the top of the schedule."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    def make_optimizer(self, parameters: Mapping[str, Parameter]) -> optim.Optimizer:
        """The optimiser that was asked for."""
        if self.optimizer == "adam":
            return optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        return optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)

    def make_schedule(self, iterations: int) -> optim.Schedule:
        """The learning rate over a training of so many iterations; "step" divides it by 10 after each third."""
        match self.schedule:
            case "step":
                return optim.step(self.learning_rate, every=max(iterations // 3, 1))
            case "cosine":
                return optim.cosine(self.learning_rate, iterations=iterations)
            case "one-cycle":
                return optim.one_cycle(self.learning_rate, iterations=iterations)
        return optim.constant(self.learning_rate)


def one_of(option: str, found: str, known: Mapping[str, object] | tuple[str, ...]) -> None:
    if found not in known:
        raise InputError(f"--{option}: expected one of {', '.join(known)}, found {found!r}")


def require(option: str, found: object, good: bool, expected: str) -> None:
    if not good:
        raise InputError(f"--{option}: expected {expected}, found {found}")
