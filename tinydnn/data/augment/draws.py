"""Random numbers that belong to slices, not to batches."""

import numpy as np

AUGMENT_STREAM = 3  # keeps these random numbers apart from others drawn with the same seed


class Draws:
    """Numbers for some slices in one epoch: each slice has its own, whatever batch it is in and whoever draws.

    Every call draws a number for each of the `count` slices of the dataset from a generator that depends on seed and
    epoch alone, and hands out those of the slices at `indices`. So a training that is resumed, or that prepares
    batches in other threads, sees the same pictures.
    """

    def __init__(self, seed: int, epoch: int, indices: np.ndarray, count: int) -> None:
        self.indices, self.count = indices, count
        self._rng = np.random.default_rng([seed, AUGMENT_STREAM, epoch])

    def uniform(self, low: float, high: float) -> np.ndarray:
        """A number from `low` to `high` for each slice: (B,) float64."""
        return low + (high - low) * self._rng.random(self.count)[self.indices]

    def coin(self) -> np.ndarray:
        """Heads or tails for each slice: (B,) bool."""
        return self.uniform(0, 1) < 0.5
