"""The options of a training run and of a fine-tuning run."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import ClassVar

from tinydnn import ops, optim
from tinydnn.data.augment import parse_augmentation
from tinydnn.data.crop import KINDS, Crop
from tinydnn.layers import Parameter
from tinydnn.models import HEADS, MODELS, NETWORKS
from tinydnn.runs.declarations import Limit, declarations, option, require, require_choice
from tinydnn.training.views import VIEWS

OPTIMIZERS = {"sgd": 0.02, "adam": 0.001}  # default learning rates
DEFAULT_RATES = " and ".join(f"{lr} for {name}" for name, lr in OPTIMIZERS.items())
SPLITS = ("slice", "patient")
FOLD_SPLITS = (*SPLITS, "official")
SCHEDULES = ("constant", "step", "cosine", "one-cycle")
RANDOM = "random"  # instead of a file of pretrained weights

AT_LEAST_0 = Limit("at least 0", lambda value: value >= 0)
AT_LEAST_1 = Limit("at least 1", lambda value: value >= 1)
AT_LEAST_2 = Limit("at least 2", lambda value: value >= 2)
PIXELS = Limit("16 to 1024 pixels", lambda value: 16 <= value <= 1024)
INNER_SHARE = Limit("a number between 0 and 1", lambda value: 0 < value < 1)
SHARE = Limit("at least 0 and below 1", lambda value: 0 <= value < 1)
POSITIVE = Limit("a number above 0", lambda value: isfinite(value) and value > 0)
NOT_NEGATIVE = Limit("a number of at least 0", lambda value: isfinite(value) and value >= 0)


@dataclass(frozen=True)
class Options:
    """The options of a run. With the data and the versions in `config.json`, they determine its result.

    fold: the fold of `folds` that is held out, from 1; None for a single split. See `tinydnn.training.loss` for
    `balance`, `tinydnn.data.augment` for `augment` and `tinydnn.training.views` for `views`.
    Raises `InputError` that names the option, what was expected and what was found.
    """

    data: str | None = option(
        None,
        "Data",
        "Folder of .mat files, zips, image folder or prepared file; phantoms if omitted.",
        expected="a path",
    )
    recipe: str | None = option(None, "Run", "paper, fast, best or a .toml file; explicit options override it.")
    model: str = option("baseline", "Model", "{choices}; baseline is a reconstruction of the paper's.", choices=MODELS)
    epochs: int = option(10, "Optimisation", "Number of epochs.", limit=AT_LEAST_1)
    batch_size: int = option(128, "Optimisation", "Slices in a batch.", limit=AT_LEAST_1)
    optimizer: str = option("sgd", "Optimisation", "{choices}.", choices=OPTIMIZERS)
    lr: float | None = option(None, "Optimisation", f"Peak learning rate; by default {DEFAULT_RATES}.", limit=POSITIVE)
    momentum: float = option(0.9, "Optimisation", "Momentum of sgd.", limit=SHARE)
    weight_decay: float = option(0.0, "Optimisation", "L2 penalty on the weights.", limit=NOT_NEGATIVE)
    schedule: str = option(
        "one-cycle", "Optimisation", "Schedule: {choices}; step divides lr by 10 after each third.", choices=SCHEDULES
    )
    label_smoothing: float = option(0.0, "Optimisation", "Share of each target spread over all classes.", limit=SHARE)
    balance: bool = option(False, "Optimisation", "Compensate for unequal class frequencies.")
    augment: str = option(
        "none", "Augmentation", "none, light, strong, changes such as rotate=15,flip, or both: light,cutout=0.3.",
        expected="a preset or changes",
    )  # fmt: skip
    views: int = option(1, "Evaluation", "Views per test slice: 1, 2 (mirrored) or 10 (also shifted).", choices=VIEWS)
    size: int = option(256, "Data", "Pixels per side that slices are resized to.", limit=PIXELS)
    crop: str = option("none", "Data", "{choices}; the last two need the mask of the tumour.", choices=KINDS)
    margin: float = option(0.2, "Data", "Margin around the tumour, as a share of its longer side.")
    split: str = option("slice", "Evaluation", "slice (the paper's) or patient (no patient in both parts).")
    test_fraction: float = option(0.2, "Evaluation", "Share of the slices in the test set.", limit=INNER_SHARE)
    validation: float = option(
        0.0, "Evaluation", "Share of the training set held out to select the best epoch; 0 keeps the last.", limit=SHARE
    )
    folds: int = option(5, "Evaluation", "Number of folds.", limit=AT_LEAST_2)
    fold: int | None = option(None, "Evaluation", "Fold that is held out.")
    normalise: str = option(
        "standard", "Data", "standard: (x - mean) / std; minmax: to [0, 1].", choices=("standard", "minmax")
    )
    seed: int = option(0, "Run", "Seed of split, weights, shuffling, augmentation and dropout.", limit=AT_LEAST_0)
    skip_broken: bool = option(False, "Data", "Skip and list the files that cannot be read.")
    device: str = option("cpu", "Hardware", "cpu, cuda or cuda:N.")
    precision: str = option(
        "fp32", "Hardware", "{choices}; tf32 is faster on a GPU, accurate to 3 digits.", choices=ops.PRECISIONS
    )

    command: ClassVar[str] = "train"

    def __post_init__(self) -> None:
        # The values may come from a file, so their types are checked too.
        declared = declarations(type(self))
        for field in fields(self):
            declared[field.name].check(field.name, field.type, getattr(self, field.name))
        on_cpu = self.device == "cpu" and self.precision != "fp32"
        require("precision", self.precision, not on_cpu, "fp32 on the CPU (tf32 is for --device cuda)")
        require_choice("split", self.split, SPLITS if self.fold is None else FOLD_SPLITS)
        require("fold", self.fold, self.fold is None or 1 <= self.fold <= self.folds, f"1 to {self.folds}")
        parse_augmentation(self.augment)
        Crop(self.crop, self.margin)

    def effective(self, name: str) -> object:
        """The value of an option, or for None the learning rate that it stands for."""
        value = getattr(self, name)
        return self.learning_rate if name == "lr" and value is None else value

    @property
    def learning_rate(self) -> float:
        """The peak of the schedule."""
        return OPTIMIZERS[self.optimizer] if self.lr is None else self.lr

    @property
    def cropping(self) -> Crop:
        """The crop of every slice."""
        return Crop(self.crop, self.margin)

    def make_optimizer(self, parameters: Mapping[str, Parameter]) -> optim.Optimizer:
        """The optimizer of these parameters, at the peak learning rate."""
        if self.optimizer == "adam":
            return optim.Adam(parameters, lr=self.learning_rate, weight_decay=self.weight_decay)
        return optim.SGD(parameters, lr=self.learning_rate, momentum=self.momentum, weight_decay=self.weight_decay)

    def make_schedule(self, iterations: int) -> optim.Schedule:
        """The learning rate of each of `iterations` iterations; "step" divides it by 10 after each third."""
        match self.schedule:
            case "constant":
                return optim.constant(self.learning_rate)
            case "step":
                return optim.step(self.learning_rate, every=max(iterations // 3, 1))
            case "cosine":
                return optim.cosine(self.learning_rate, iterations=iterations)
            case "one-cycle":
                return optim.one_cycle(self.learning_rate, iterations=iterations)
        raise ValueError(f"schedule: expected one of {', '.join(SCHEDULES)}, found {self.schedule!r}")


@dataclass(frozen=True)
class FinetuneOptions(Options):
    """The options of a fine-tuning run: `model` is a pretrained network, `lr` the learning rate of its layers.

    weights: a file, "random", or None for the downloaded weights. freeze_to, unfreeze: see
    `tinydnn.training.finetuning.parse_phases`.
    """

    recipe: str | None = option(None, "Run", "A .toml file of these options; explicit options override it.")
    model: str = option("vgg16", "Model", "{choices}.", choices=NETWORKS, flag="from")
    epochs: int = 15
    batch_size: int = 32
    lr: float = option(0.001, "Optimisation", "Peak learning rate of the network's own layers.", limit=POSITIVE)
    schedule: str = option(
        "one-cycle", "Optimisation", "Schedule, restarted in each phase: {choices}.", choices=SCHEDULES
    )
    size: int = 128
    normalise: str = option("network", "Data", "network: the preprocessing it was trained with.", choices=("network",))
    weights: str | None = option(
        None, "Model", "File of its weights, or random; by default the downloaded ones.", expected="a path"
    )
    head: str = option("linear", "Model", "{choices} (mean of each channel).", choices=HEADS)
    head_lr: float = option(0.001, "Optimisation", "Peak learning rate of the head.", limit=POSITIVE)
    freeze_to: str = option(
        "features", "Model", "Last frozen layer; features: the whole trunk; none.", expected="the name of a layer"
    )
    unfreeze: str = option(
        "", "Model", "EPOCH:LAYER,…: also train the layers from LAYER on, from epoch EPOCH on.",
        expected="the name of a layer",
    )  # fmt: skip

    command: ClassVar[str] = "finetune"

    @property
    def learning_rate(self) -> float:
        """The peak of the schedule, at which the head learns; the layers of the network scale it by `lr / head_lr`."""
        return self.head_lr


def options_kind(command: str) -> type[Options]:
    """The kind of options of a run that this command trained."""
    return FinetuneOptions if command == FinetuneOptions.command else Options
