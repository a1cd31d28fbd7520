"""Random draws that depend on the slice alone, not on its batch."""

import numpy as np

AUGMENT_STREAM = 3  # separates these draws from others with the same seed


class Draws:
    """The random draws of augmentation for the slices at `indices` in one epoch.

    Every call draws a value for each of the `count` slices of the dataset, from a generator seeded by seed and epoch
    alone, and returns those at `indices`. So a slice gets the same values in any batch, in any thread and in a resumed
    run.
    """

    def __init__(self, seed: int, epoch: int, indices: np.ndarray, count: int) -> None:
        self.indices, self.count = indices, count
        self._rng = np.random.default_rng([seed, AUGMENT_STREAM, epoch])

    def uniform(self, low: float, high: float) -> np.ndarray:
        """Values uniform in [low, high), one a slice: (B,) float64."""
        return low + (high - low) * self._rng.random(self.count)[self.indices]

    def factor(self, amount: float) -> np.ndarray:
        """Factors (1 + amount)^u with u uniform in [−1, 1), one a slice: (B,) float64."""
        return (1 + amount) ** self.uniform(-1, 1)

    def coin(self) -> np.ndarray:
        """True with probability ½, one a slice: (B,) bool."""
        return self.uniform(0, 1) < 0.5
