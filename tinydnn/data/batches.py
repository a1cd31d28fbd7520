"""Shuffled mini-batches."""

import numpy as np

from tinydnn.errors import InputError

SHUFFLE_STREAM = 2  # separates this random stream from others with the same seed


def epoch_batches(indices: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """Shuffle `indices` for an epoch and cut them into batches; a last partial batch is dropped.

    The order depends only on seed and epoch, so a resumed run continues with the same batches. 2451 slices in
    batches of 128 give the paper's 19 iterations, from which its batch size is inferred. Raises `InputError` if no
    batch can be filled.
    """
    if not 1 <= batch_size <= len(indices):
        raise InputError(f"batch size: expected 1 to {len(indices)}, the number of training slices, found {batch_size}")
    order = np.random.default_rng([seed, SHUFFLE_STREAM, epoch]).permutation(indices)
    batch_count = len(order) // batch_size
    return list(order[: batch_count * batch_size].reshape(-1, batch_size))
