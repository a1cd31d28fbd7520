"""A run that adapts a published network, in a folder like any other run's."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isfinite
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, cast

from tinydnn import weights
from tinydnn.data.preprocessing import TORCHVISION, AnyNormalisation
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.models import HEADS, NETWORKS, adapted
from tinydnn.runs.options import Options, one_of, require
from tinydnn.runs.run import Run
from tinydnn.training.finetuning import Finetuner, phased, phases
from tinydnn.training.trainer import Step

RANDOM = "random"


@dataclass(frozen=True)
class FinetuneOptions(Options):
    """The choices of a fine-tuning; `model` is the published network, `lr` the rate of its layers.

    weights: a file, or None for those that were downloaded, or "random" for none. freeze_to, unfreeze: as
    `finetuning.phases` takes them.
    """

    model: str = "vgg16"
    epochs: int = 15
    batch_size: int = 32
    lr: float | None = 0.001
    size: int = 128
    normalise: str = "network"
    weights: str | None = None
    head: str = "linear"
    head_lr: float = 0.001
    freeze_to: str = "features"
    unfreeze: str = ""

    models: ClassVar = NETWORKS
    normalisations: ClassVar = ("network",)  # its own preprocessing
    command: ClassVar[str] = "finetune"

    def __post_init__(self) -> None:
        for name in ("lr", "head_lr"):
            rate = getattr(self, name)
            require(
                self.flag(name), rate, isinstance(rate, float | int) and isfinite(rate) and rate > 0, "a number above 0"
            )
        super().__post_init__()
        require("weights", self.weights, isinstance(self.weights, str | None), "a path")
        one_of("head", self.head, HEADS)
        for name in ("freeze_to", "unfreeze"):
            require(self.flag(name), getattr(self, name), isinstance(getattr(self, name), str), "the name of a layer")

    def flag(self, name: str) -> str:
        """What an option is called on the command line, without its dashes."""
        return "from" if name == "model" else super().flag(name)

    def chosen(self, name: str) -> object:
        """The value of an option."""
        return getattr(self, name)

    @property
    def learning_rate(self) -> float:
        """The rate at the top of the schedule: the head's. The layers of the network take a part of it."""
        return self.head_lr


class FinetuneRun(Run):
    """A run whose model is a published network under a new head.

    The folder holds what every run's does. `report` says which weights were taken over.
    """

    options: FinetuneOptions
    feature_seconds = 0.0  # that it took to compute or find features in this session

    @cached_property
    def source(self) -> weights.Weights | None:
        """The weights to begin with, or None for random ones."""
        asked = self.options.weights
        if asked == RANDOM:
            return None
        return weights.read(weights.downloaded(self.options.model) if asked is None else Path(asked))

    def make_trainer(self) -> Finetuner:
        """The training as it stands before its first iteration."""
        options = self.options
        model = adapted(
            options.model, head=options.head, image_size=self.dataset.size,
            classes=len(self.dataset.class_names), seed=options.seed,
        )  # fmt: skip
        self.report = None if self.source is None else weights.load(model, self.source, part="features")
        model.to(options.device)
        rate = (options.lr or 0.0) / options.head_lr
        steps = phases(model, options.freeze_to, options.unfreeze, epochs=options.epochs, trunk_rate=rate)
        starts = [(phase.first_epoch - 1) * self.batches for phase in steps]
        return Finetuner(
            model,
            options.make_optimizer(_learned(model)),  # as the last phase, which has thawed most, has left it
            phased(options.make_schedule, starts, options.epochs * self.batches),
            self.dataset,
            self.normalise(),
            phases=steps,
            **self.protocol(),
        )

    def normalise(self) -> AnyNormalisation:
        """What the network's own training did to its pictures; for random weights as torchvision's."""
        return TORCHVISION if self.source is None else self.source.preprocessing

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Compute the features of the frozen front, which the training then sees in place of the pictures."""
        begin = perf_counter()
        self.finetuner.prepare_features(progress)
        self.feature_seconds = perf_counter() - begin

    @property
    def finetuner(self) -> Finetuner:
        """The trainer."""
        return cast(Finetuner, self.trainer)

    def notes(self) -> list[str]:
        """Where the weights are from, what each phase trains, and what was computed once."""
        said = ["Random weights: nothing was learned from other pictures."]
        if self.source is not None:
            said = [f"Weights: {self.source.path}, {self.report}"]
        for phase in self.finetuner.phases:
            features = self.finetuner.features(phase)
            frozen = f"frozen to {phase.frozen_to}" if phase.frozen_to else "nothing is frozen"
            seen = "" if features is None else f"; features {' x '.join(map(str, features))} a slice, computed once"
            said.append(f"From epoch {phase.first_epoch}: {frozen}{seen}")
        if any(phase.frozen_to for phase in self.finetuner.phases):
            anew = "The slices are augmented, so what frozen layers make of them is computed anew each time"
            once = f"Computing and finding features took {self.feature_seconds:.1f} s"
            said.append(anew if self.finetuner.augment else once)
        return said

    def described(self) -> dict[str, Any]:
        """What a reader must know beside the figures: here also what each phase trained, and for how long."""
        trainer, seconds = self.finetuner, dict[int, float]()
        for record in trainer.records:
            if isinstance(record, Step):
                first = trainer.phase(record.epoch).first_epoch
                seconds[first] = seconds.get(first, 0.0) + record.seconds
        told = [
            {
                "first_epoch": phase.first_epoch,
                "frozen_to": phase.frozen_to,
                "training_seconds": round(seconds.get(phase.first_epoch, 0.0), 3),
            }
            for phase in trainer.phases
        ]
        return {**super().described(), "feature_seconds": round(self.feature_seconds, 1), "phases": told}


def _learned(model: Sequential) -> dict[str, Parameter]:
    found = {name: one for name, one in model.parameters().items() if one.lr_scale}
    if not found:
        raise InputError("--freeze-to: expected a layer of the network, found the head, which is to learn")
    return found
