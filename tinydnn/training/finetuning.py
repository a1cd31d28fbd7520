"""Adapting a network that others have trained: its front frozen, and thawed layer by layer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from tinydnn.errors import InputError
from tinydnn.layers import Sequential
from tinydnn.optim import Schedule
from tinydnn.training.features import feature_shape, kept
from tinydnn.training.trainer import Trainer, View

HEAD = "head"
LARGEST_FEATURES = 1 << 31  # bytes of a file of features; beyond, they are computed anew for every batch


@dataclass(frozen=True)
class Phase:
    """From an epoch (the first is 1) on, what is frozen: the front up to `frozen_to`; nothing where that is None.

    trunk_rate: how many times the optimiser's rate the thawed layers of the trunk take; the head takes it once.
    """

    first_epoch: int
    frozen_to: str | None
    trunk_rate: float

    def begin(self, model: Sequential) -> None:
        """Freeze and thaw the model's layers."""
        model.unfreeze(lr_scale=self.trunk_rate)
        model.unfreeze(from_layer=HEAD)
        if self.frozen_to is not None:
            model.freeze(self.frozen_to)


def phases(model: Sequential, frozen_to: str, unfreeze: str, *, epochs: int, trunk_rate: float) -> tuple[Phase, ...]:
    """The phases of a training: frozen up to `frozen_to` ("none": nothing is), then thawed as `unfreeze` says.

    unfreeze: "6:features.24,9:features.17" lets the layers from features.24 on learn from epoch 6 on, and those from
    features.17 on from epoch 9 on. Raises `InputError` for anything else, and unless each phase thaws more than the
    one before.
    """
    found = [Phase(1, None if frozen_to == "none" else frozen_to, trunk_rate)]
    for part in filter(None, unfreeze.split(",")):
        epoch, _, layer = part.partition(":")
        if not epoch.isdecimal() or not layer:
            raise InputError(f"--unfreeze: expected EPOCH:LAYER, such as 6:features.24, found {part!r}")
        if not found[-1].first_epoch < int(epoch) <= epochs:
            raise InputError(
                f"--unfreeze: expected an epoch after {found[-1].first_epoch} and up to {epochs}, found {epoch}"
            )
        found.append(Phase(int(epoch), model.layer_before(layer), trunk_rate))
    fronts = []
    for phase in found:
        phase.begin(model)
        fronts.append(model.frozen_front())
    if any(later >= earlier for earlier, later in pairwise(fronts)):
        raise InputError(
            f"--unfreeze: expected each step to let more layers learn than the one before, found {unfreeze}"
        )
    return tuple(found)


def phased(schedule: Callable[[int], Schedule], starts: Sequence[int], iterations: int) -> Schedule:
    """`schedule(length)`, begun anew at each of the iterations `starts`."""
    ends = [*starts[1:], iterations]
    parts = [schedule(end - start) for start, end in zip(starts, ends, strict=True)]

    def rate(iteration: int) -> float:
        k = max(index for index, start in enumerate(starts) if start <= iteration)
        return parts[k](iteration - starts[k])

    return rate


class Finetuner(Trainer):
    """A trainer whose model thaws from phase to phase.

    In each phase the frozen front is taken out of the loop: what it makes of the slices is computed once
    (`prepare_features`), and an epoch sees that in place of the pictures. No later phase may freeze what an earlier
    one has trained, so all of it can be computed before the training begins. Where the slices are augmented, no two
    epochs show the front the same pictures: it stays in the loop, and nothing is kept.
    """

    def __init__(self, *arguments: Any, phases: Sequence[Phase], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.phases = tuple(phases)
        self._views: dict[Phase, View] = {}
        self.phases[0].begin(self.model)

    def prepare_features(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Compute what each phase's frozen front makes of every slice, unless an earlier run has; see above."""
        if self.augment:
            return
        for phase in self.phases:
            phase.begin(self.model)
            front, rest = self.model.split_at(self.model.frozen_front())
            if not front.layers or phase in self._views:
                continue
            shape = feature_shape(self.dataset, front, self.normalise, self.device)
            if len(self.dataset) * int(np.prod(shape)) * 4 <= LARGEST_FEATURES:
                features = kept(self.dataset, front, self.normalise, device=self.device, progress=progress)
                self._views[phase] = View(rest, features, lambda x: x)
        self.phases[0].begin(self.model)

    def phase(self, epoch: int) -> Phase:
        """The phase of an epoch; the first is 1."""
        return [one for one in self.phases if one.first_epoch <= epoch][-1]

    def features(self, phase: Phase) -> tuple[int, ...] | None:
        """The shape of a slice's features in a phase; None where the pictures themselves are seen."""
        view = self._views.get(phase)
        return None if view is None else view.dataset.images.shape[1:]

    def begin_epoch(self, epoch: int) -> None:
        """Freeze and thaw as the epoch's phase asks for, and see what its frozen front has made."""
        phase = self.phase(epoch)
        phase.begin(self.model)
        self.view = self._views.get(phase) or View(self.model, self.dataset, self.normalise)
