"""The order in which an epoch shows the training slices."""

import numpy as np

from tinydnn.errors import InputError

SHUFFLE_STREAM = 2  # keeps these random numbers apart from others drawn with the same seed


def epoch_batches(indices: np.ndarray, batch_size: int, *, seed: int, epoch: int) -> list[np.ndarray]:
    """`indices`, shuffled anew each epoch and cut into batches; a last partial batch is dropped.

    The order depends on seed and epoch alone, so a resumed run goes on as it would have. 2451 slices in
    batches of 128 make the paper's 19 iterations.
    """
    if not 1 <= batch_size <= len(indices):
        raise InputError(f"batch size: expected 1 to {len(indices)}, the number of training slices, found {batch_size}")
    order = np.random.default_rng([seed, SHUFFLE_STREAM, epoch]).permutation(indices)
    whole = len(order) // batch_size * batch_size
    return list(order[:whole].reshape(-1, batch_size))
