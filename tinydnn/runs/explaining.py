"""Explanations of the test slices of a run by several methods, and their scores slice by slice."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from tinydnn.errors import InputError
from tinydnn.explain.faithfulness import deletion_curve, insertion_curve
from tinydnn.explain.mask_scores import MASK_SCORES
from tinydnn.explain.method import Method
from tinydnn.explain.sanity import Cascade, cascade
from tinydnn.runs.finished import FinishedRun
from tinydnn.training.evaluation import in_batches

SLOW = ("occlusion", "rise")  # hundreds of forward passes for each slice
SLOW_SLICES = 64  # that a slow method explains; the others explain all
CURVE_SLICES = 64  # of these, that have deletion and insertion curves
SANITY_SLICES, SLOW_SANITY_SLICES = 16, 2
CURVES = {"deletion": deletion_curve, "insertion": insertion_curve}
SUBSET_STREAM = 6  # separates these draws from others with the same seed


@dataclass(frozen=True, eq=False)
class Slices:
    """The test slices that are explained: indices into the dataset, and the classes that the model predicts.

    order: of their positions, drawn with the seed of the run; a subset is a part of it. without_mask: the
    number of test slices that are left out, because their masks are empty. mask_share: the mean share of the pixels
    that lie inside a mask.
    """

    run: FinishedRun
    indices: np.ndarray
    predicted: np.ndarray
    order: np.ndarray
    without_mask: int
    mask_share: float

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def labels(self) -> np.ndarray:
        """The true classes, (N,)."""
        return self.run.dataset.labels[self.indices]

    def subset(self, start: int, end: int) -> np.ndarray:
        """The positions from `start` to `end` of the random order, as many as there are, sorted."""
        return np.sort(self.order[start:end])

    def images(self, positions: np.ndarray) -> np.ndarray:
        """Normalised images, (B, C, H, W)."""
        return self.run.saved.normalise(self.run.dataset.read(self.indices[positions]))

    def masks(self, positions: np.ndarray) -> np.ndarray:
        """Masks of the tumours, (B, H, W) bool."""
        return self.run.dataset.read_masks(self.indices[positions])


@dataclass(frozen=True, eq=False)
class Explained:
    """What a method achieved.

    positions: of the slices that it explained, (N,). scores: of each slice by name, (N,). seconds: that the maps of all
    `positions` took. curve_positions: of the slices that have curves, (M,). curves: deletion and insertion, each
    (M, steps + 1).
    """

    method: Method
    positions: np.ndarray
    scores: dict[str, np.ndarray]
    seconds: float
    curve_positions: np.ndarray
    curves: dict[str, np.ndarray]
    sanity: Cascade
    sanity_slices: int


def slices_to_explain(run: FinishedRun, limit: int | None = None) -> Slices:
    """The test slices of a run whose mask has a pixel, or a random subset of `limit` of them.

    The class that is explained is the one that the model predicts for the slice itself, without other views of it.
    Raises `InputError` for a dataset without masks.
    """
    shares = np.array([run.dataset.read_masks(batch).mean() for batch in run.split.test[:, None]])
    masked = np.flatnonzero(shares)
    if not len(masked):
        raise InputError(f"{run.dataset.source}: expected test slices with tumour masks, found empty masks only")
    rng = np.random.default_rng([run.options.seed, SUBSET_STREAM])
    chosen = np.sort(rng.permutation(masked)[:limit])
    indices = run.split.test[chosen]
    predicted = [
        run.saved.model.predict(run.saved.normalise(run.dataset.read(batch))).argmax(axis=1)
        for batch in in_batches(indices)
    ]
    return Slices(
        run,
        indices,
        np.concatenate(predicted),
        order=rng.permutation(len(indices)),
        without_mask=len(shares) - len(masked),
        mask_share=float(shares[chosen].mean()),
    )


def work(slices: Slices, methods: Sequence[Method]) -> int:
    """The number of times that `explain_slices` calls `advance` for these methods."""
    return sum(1 + sum(len(in_batches(part)) for part in _parts(slices, method)) for method in methods)


def explain_slices(slices: Slices, method: Method, advance: Callable[[], None] = lambda: None) -> Explained:
    """Explain the slices with a method, and score the maps."""
    model, classes = slices.run.saved.model, slices.predicted
    with_curves, others = _parts(slices, method)
    scores: dict[str, list[np.ndarray]] = {score.name: [] for score in MASK_SCORES}
    curves: dict[str, list[np.ndarray]] = {name: [] for name in CURVES}
    seconds = 0.0
    for number, batch in enumerate([*in_batches(with_curves), *in_batches(others)]):
        x, start = slices.images(batch), perf_counter()
        maps = method.maps(model, x, classes[batch])
        seconds += perf_counter() - start
        for score in MASK_SCORES:
            scores[score.name].append(score.function(maps, slices.masks(batch)))
        if number < len(in_batches(with_curves)):
            for name, curve in CURVES.items():
                curves[name].append(curve(model, x, classes[batch], maps))
        advance()
    checked = slices.subset(0, SLOW_SANITY_SLICES if method.name in SLOW else SANITY_SLICES)
    sanity = cascade(method, model, slices.images(checked), classes[checked], seed=slices.run.options.seed)
    advance()
    return Explained(
        method,
        np.concatenate([with_curves, others]),
        {name: np.concatenate(values) for name, values in scores.items()},
        seconds,
        with_curves,
        {name: np.concatenate(values) for name, values in curves.items()},
        sanity,
        len(checked),
    )


def _parts(slices: Slices, method: Method) -> tuple[np.ndarray, np.ndarray]:
    """The positions of the slices that have curves, and of the others whose maps are scored."""
    end = SLOW_SLICES if method.name in SLOW else len(slices)
    return slices.subset(0, CURVE_SLICES), slices.subset(CURVE_SLICES, end)
