"""Fine-tuning of a pretrained network: its trunk starts frozen and thaws in phases."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.optim import Schedule
from tinydnn.training.features import cached_features, feature_shape
from tinydnn.training.trainer import Segment, Trainer

HEAD = "head"
LARGEST_FEATURES = 1 << 31  # bytes of a feature file; larger features are computed anew for every batch


@dataclass(frozen=True)
class Phase:
    """A part of a training run, from an epoch on (the first is 1), and what is frozen in it.

    frozen_to: the last frozen layer; None freezes nothing. trunk_lr_scale: the learning rate of the thawed trunk layers
    relative to the head's.
    """

    first_epoch: int
    frozen_to: str | None
    trunk_lr_scale: float

    def begin(self, model: Sequential) -> None:
        """Freeze and thaw the model's layers."""
        model.unfreeze(lr_scale=self.trunk_lr_scale)
        model.unfreeze(from_layer=HEAD)
        if self.frozen_to is not None:
            model.freeze(self.frozen_to)


def parse_phases(
    model: Sequential, frozen_to: str, unfreeze: str, *, epochs: int, trunk_lr_scale: float
) -> tuple[Phase, ...]:
    """The phases of a training run that starts frozen up to `frozen_to` ("none": nothing) and thaws by `unfreeze`.

    unfreeze: "6:features.24,9:features.17" thaws the layers from features.24 on in epoch 6, and those from features.17
    on in epoch 9. Raises `InputError` for any other form, and unless each phase thaws more layers than the one before.
    """
    if frozen_to != "none":
        _require_layer(model, frozen_to, "--freeze-to")
    phases = [Phase(1, None if frozen_to == "none" else frozen_to, trunk_lr_scale)]
    for item in filter(None, unfreeze.split(",")):
        epoch, _, layer = item.partition(":")
        if not epoch.isdecimal() or not layer:
            raise InputError(f"--unfreeze: expected EPOCH:LAYER, such as 6:features.24, found {item!r}")
        previous = phases[-1].first_epoch
        if not previous < int(epoch) <= epochs:
            raise InputError(f"--unfreeze: expected an epoch after {previous} and up to {epochs}, found {epoch}")
        _require_layer(model, layer, "--unfreeze")
        phases.append(Phase(int(epoch), model.layer_before(layer), trunk_lr_scale))
    frozen = []
    for phase in phases:
        phase.begin(model)
        frozen.append(model.frozen_prefix())
    if any(later >= earlier for earlier, later in pairwise(frozen)):
        raise InputError(f"--unfreeze: expected each phase to thaw more layers than the one before, found {unfreeze}")
    return tuple(phases)


def _require_layer(model: Sequential, layer: str, option: str) -> None:
    """Raise `InputError` that names the option unless the model has such a layer or group of layers."""
    try:
        model.end_of(layer)
    except InputError as error:
        raise InputError(f"{option}: {str(error).removeprefix('layer: ')}") from None


def restarted(schedule: Callable[[int], Schedule], starts: Sequence[int], iterations: int) -> Schedule:
    """A schedule that restarts at each iteration in `starts`; `schedule(n)` makes one of n iterations."""
    ends = [*starts[1:], iterations]
    schedules = [schedule(end - start) for start, end in zip(starts, ends, strict=True)]

    def learning_rate(iteration: int) -> float:
        k = max(index for index, start in enumerate(starts) if start <= iteration)
        return schedules[k](iteration - starts[k])

    return learning_rate


class Finetuner(Trainer):
    """A trainer whose model thaws from phase to phase.

    The output of the frozen prefix is constant, so `prepare_features` computes it once for all slices, and each epoch
    trains on these features alone. No later phase freezes a layer that an earlier one has trained, so all features can
    be computed before training. With augmentation the images change from epoch to epoch, and the prefix stays in the
    loop.
    """

    def __init__(self, *arguments: Any, phases: Sequence[Phase]) -> None:
        super().__init__(*arguments)
        self.phases = tuple(phases)
        self._segments: dict[Phase, Segment] = {}
        self.phases[0].begin(self.model)

    def prepare_features(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compute or load the features of each phase's frozen prefix, except with augmentation."""
        if self.protocol.augment:
            return
        for phase in self.phases:
            phase.begin(self.model)
            prefix, rest = self.model.split_at(self.model.frozen_prefix())
            if not prefix.layers or phase in self._segments:
                continue
            device = self.protocol.device
            shape = feature_shape(self.dataset, prefix, self.normalise, device)
            if len(self.dataset) * int(np.prod(shape)) * 4 <= LARGEST_FEATURES:
                features = cached_features(self.dataset, prefix, self.normalise, device=device, progress=progress)
                self._segments[phase] = Segment(rest, features, lambda x: x)
        self.phases[0].begin(self.model)

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch; the first epoch is 1."""
        return [phase for phase in self.phases if phase.first_epoch <= epoch][-1]

    def feature_shape(self, phase: Phase) -> tuple[int, ...] | None:
        """The shape of a slice's cached features in a phase; None where training uses the images."""
        segment = self._segments.get(phase)
        return None if segment is None else segment.dataset.images.shape[1:]

    def begin_epoch(self, epoch: int) -> None:
        """Freeze and thaw for the epoch's phase, and switch to its segment of the model."""
        phase = self.phase(epoch)
        phase.begin(self.model)
        self.segment = self._segments.get(phase) or Segment(self.model, self.dataset, self.normalise)
