"""What a training run is asked to do."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import ClassVar

from tinydnn import ops, optim
from tinydnn.data.augment.augmentation import parse
from tinydnn.data.prepare.crop import Crop
from tinydnn.errors import InputError
from tinydnn.layers import Parameter
from tinydnn.models import MODELS
from tinydnn.training.views import VIEWS

OPTIMIZERS = {"sgd": 0.02, "adam": 0.001}  # with the learning rate where none is given
SPLITS = ("slice", "patient")
SCHEDULES = ("constant", "step", "cosine", "one-cycle")


@dataclass(frozen=True)
class Options:
    """The choices of a run; with the data and the versions in `config.json`, they determine its result.

    data: the path that was given, or None for phantoms. lr: the learning rate, or None for the optimiser's own.
    recipe: where the other options came from. balance: see `tinydnn.training.loss`. augment: see
    `tinydnn.data.augment.augmentation.parse`. views: of each test slice, see `tinydnn.training.views`. validation: the share of the
    training part by which the best epoch is chosen; with 0 nothing is chosen, and the last epoch stands. fold: which of
    the `folds` is held out, from 1; None for a single split.
    Raises `InputError` that names the option, what was expected and what was found.
    """

    data: str | None = None
    recipe: str | None = None
    model: str = "baseline"
    epochs: int = 10
    batch_size: int = 128
    optimizer: str = "sgd"
    lr: float | None = None
    momentum: float = 0.9
    weight_decay: float = 0.0
    schedule: str = "one-cycle"
    label_smoothing: float = 0.0
    balance: bool = False
    augment: str = "none"
    views: int = 1
    size: int = 256
    crop: str = "none"
    margin: float = 0.2
    split: str = "slice"
    test_fraction: float = 0.2
    validation: float = 0.0
    folds: int = 5
    fold: int | None = None
    normalise: str = "standard"
    seed: int = 0
    skip_broken: bool = False
    device: str = "cpu"
    precision: str = "fp32"

    models: ClassVar[Mapping[str, object]] = MODELS
    normalisations: ClassVar[tuple[str, ...]] = ("standard", "minmax")
    command: ClassVar[str] = "train"

    def __post_init__(self) -> None:
        # These may come from a file, too.
        require("data", self.data, isinstance(self.data, str | None), "a path")
        require("device", self.device, isinstance(self.device, str), "a name")
        require("recipe", self.recipe, isinstance(self.recipe, str | None), "a name")
        require("augment", self.augment, isinstance(self.augment, str), "a preset or changes")
        require("fold", self.fold, self.fold is None or type(self.fold) is int, "a whole number")
        require("balance", self.balance, isinstance(self.balance, bool), "true or false")
        for name in ("epochs", "batch_size", "size", "seed", "views", "folds"):
            value = getattr(self, name)
            require(name.replace("_", "-"), value, type(value) is int, "a whole number")
        for name in ("momentum", "weight_decay", "test_fraction", "validation", "label_smoothing"):
            value = getattr(self, name)
            require(self.flag(name), value, isinstance(value, int | float) and value is not True, "a number")
        require("lr", self.lr, isinstance(self.lr, int | float | None), "a number")
        one_of(self.flag("model"), self.model, self.models)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, ops.PRECISIONS)
        on_cpu = self.device == "cpu" and self.precision != "fp32"
        require("precision", self.precision, not on_cpu, "fp32 on the CPU (tf32 is for --device cuda)")
        one_of("split", self.split, SPLITS if self.fold is None else (*SPLITS, "official"))
        one_of("normalise", self.normalise, self.normalisations)
        require("epochs", self.epochs, self.epochs >= 1, "at least 1")
        require("batch-size", self.batch_size, self.batch_size >= 1, "at least 1")
        require("size", self.size, 16 <= self.size <= 1024, "16 to 1024 pixels")
        require("seed", self.seed, self.seed >= 0, "at least 0")
        require("test-fraction", self.test_fraction, 0 < self.test_fraction < 1, "a number between 0 and 1")
        require("validation", self.validation, 0 <= self.validation < 1, "at least 0 and below 1")
        require("views", self.views, self.views in VIEWS, f"one of {', '.join(map(str, VIEWS))}")
        smoothing = self.label_smoothing
        require("label-smoothing", smoothing, 0 <= smoothing < 1, "at least 0 and below 1")
        require("folds", self.folds, self.folds >= 2, "at least 2")
        require("fold", self.fold, self.fold is None or 1 <= self.fold <= self.folds, f"1 to {self.folds}")
        parse(self.augment), self.cropping
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

    @property
    def cropping(self) -> Crop:
        """What part of a slice is shown."""
        return Crop(self.crop, self.margin)

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
    if not isinstance(found, str) or found not in known:
        raise InputError(f"--{option}: expected one of {', '.join(known)}, found {found!r}")


def require(option: str, found: object, good: bool, expected: str) -> None:
    if not good:
        raise InputError(f"--{option}: expected {expected}, found {found}")
