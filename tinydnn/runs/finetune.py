"""A run that fine-tunes a pretrained network."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

from tinydnn import weights
from tinydnn.data.normalise import TORCHVISION, AnyNormalisation
from tinydnn.errors import InputError
from tinydnn.layers import Parameter, Sequential
from tinydnn.models import adapted
from tinydnn.runs.options import RANDOM, FinetuneOptions
from tinydnn.runs.run import Run
from tinydnn.training.finetuning import Finetuner, parse_phases, restarted


class FinetuneRun(Run):
    """A run whose model is a pretrained network with a new head; `report` describes the weights that were loaded."""

    options: FinetuneOptions
    trainer: Finetuner
    feature_seconds = 0.0  # spent on computing or loading features in this session

    @cached_property
    def source(self) -> weights.Weights | None:
        """The pretrained weights, or None for random ones."""
        path = self.options.weights
        if path == RANDOM:
            return None
        return weights.read(weights.downloaded(self.options.model) if path is None else Path(path))

    def make_trainer(self) -> Finetuner:
        """The trainer before its first iteration."""
        options = self.options
        model = adapted(
            options.model, head=options.head, image_size=self.dataset.size,
            classes=len(self.dataset.class_names), seed=options.seed,
        )  # fmt: skip
        self.report = None if self.source is None else weights.load(model, self.source, module="features")
        model.to(options.device)
        trunk_lr_scale = options.lr / options.head_lr
        phases = parse_phases(
            model, options.freeze_to, options.unfreeze, epochs=options.epochs, trunk_lr_scale=trunk_lr_scale
        )
        starts = [(phase.first_epoch - 1) * self.batches for phase in phases]
        return Finetuner(
            model,
            options.make_optimizer(_trainable(model)),  # `parse_phases` left the model in its last phase
            restarted(options.make_schedule, starts, options.epochs * self.batches),
            self.dataset,
            self.normalise(),
            self.protocol(),
            phases=phases,
        )

    def normalise(self) -> AnyNormalisation:
        """The preprocessing with which the network was pretrained; torchvision's for random weights."""
        return TORCHVISION if self.source is None else self.source.preprocessing

    def prepare(self, progress: Callable[[int, int], None]) -> None:
        """Compute the features of the frozen prefix, the input of the layers that are trained."""
        start = perf_counter()
        self.trainer.prepare_features(progress)
        self.feature_seconds = perf_counter() - start

    def notes(self) -> list[str]:
        """The source of the weights, what is frozen in each phase, and whether features are cached."""
        loaded = "random, not pretrained" if self.source is None else f"{self.source.path}, {self.report}"
        lines = [f"Weights: {loaded}"]
        for phase in self.trainer.phases:
            shape = self.trainer.feature_shape(phase)
            frozen = f"frozen to {phase.frozen_to}" if phase.frozen_to else "nothing is frozen"
            features = "" if shape is None else f"; {' x '.join(map(str, shape))} features per slice, computed once"
            lines.append(f"From epoch {phase.first_epoch}: {frozen}{features}")
        if any(phase.frozen_to for phase in self.trainer.phases):
            augmented = "The slices are augmented, so the frozen layers are computed in every iteration"
            cached = f"Computing or loading features took {self.feature_seconds:.1f} s"
            lines.append(augmented if self.trainer.protocol.augment else cached)
        return lines

    def describe(self) -> dict[str, Any]:
        """The contents of metrics.json beside the metrics; for fine-tuning also the phases and the time of each."""
        seconds = {phase.first_epoch: 0.0 for phase in self.trainer.phases}
        for step in self.trainer.steps:
            seconds[self.trainer.phase(step.epoch).first_epoch] += step.seconds
        phases = [
            {
                "first_epoch": phase.first_epoch,
                "frozen_to": phase.frozen_to,
                "training_seconds": round(seconds[phase.first_epoch], 3),
            }
            for phase in self.trainer.phases
        ]
        return {**super().describe(), "feature_seconds": round(self.feature_seconds, 1), "phases": phases}


def _trainable(model: Sequential) -> dict[str, Parameter]:
    parameters = {name: parameter for name, parameter in model.parameters().items() if parameter.lr_scale}
    if not parameters:
        raise InputError("--freeze-to: expected a layer of the network, found the head, which must be trained")
    return parameters
