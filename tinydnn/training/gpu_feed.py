"""Batches on a GPU: from a dataset that lies there, or from one that is streamed there while the GPU computes.

Either way pictures travel and lie as bytes, and are normalised on the GPU. A feed has a batch of a fixed size in
arrays of a fixed place, so that a captured step finds each batch where it found the first.
"""

from contextlib import nullcontext
from math import prod
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module, to_device, upload
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.kernels.cuda.pixels import gather

SHARE = 0.4  # of the free memory that a dataset may take
READ = 256  # slices at once


class ResidentFeed:
    """All slices lie on the GPU; a batch is taken from them by the numbers of its slices."""

    where = "lie on the GPU"

    def __init__(self, dataset: Dataset, normalise: Normalisation, batch_size: int, device: str) -> None:
        self.normalise = normalise
        self.labels = to_device(dataset.labels, device)
        xp = array_module(self.labels)
        self.pictures = xp.empty((len(dataset), *dataset.images.shape[1:]), np.uint8)
        for start in range(0, len(dataset), READ):
            numbers = np.arange(start, min(start + READ, len(dataset)))
            upload(dataset.read(numbers), self.pictures[start : start + len(numbers)])
        self.indices = xp.zeros(batch_size, np.int64)

    def put(self, indices: Array) -> None:
        """Make the slices of `indices` the next batch."""
        upload(indices, self.indices)

    def prefetch(self, indices: Array) -> None:
        """Nothing is to be fetched: all is there."""

    def batch(self) -> tuple[Array, Array]:
        """The batch: normalised pictures (B, C, H, W) and labels (B,)."""
        return self._take(self.indices)

    def load(self, indices: Array) -> tuple[Array, Array]:
        """The slices of `indices`, however many, apart from the batches."""
        return self._take(array_module(self.labels).asarray(indices))

    def _take(self, indices: Array) -> tuple[Array, Array]:
        x = gather(self.pictures, indices, shift=self.normalise.shift, scale=self.normalise.scale)
        return x, self.labels[indices]


class StreamedFeed:
    """Slices stay where they are; the next batch travels through pinned memory while the GPU works on the present one.

    Two slots take turns: one is filled while the other is in use.
    """

    where = "are streamed to the GPU, because they would fill too much of its memory"

    def __init__(self, dataset: Dataset, normalise: Normalisation, batch_size: int, device: str) -> None:
        self.dataset, self.normalise, self.device = dataset, normalise, device
        self.labels = to_device(np.zeros(batch_size, np.int64), device)
        xp = array_module(self.labels)
        shape = (batch_size, *dataset.images.shape[1:])
        self.pictures = xp.zeros(shape, np.uint8)
        self._every = xp.arange(batch_size)
        self._slots = [_Slot(xp, shape) for _ in range(2)]

    def put(self, indices: Array) -> None:
        """Make the slices of `indices` the next batch, at once if they have been fetched."""
        if not self._slots[0].holds(indices):
            self._slots.reverse()
        if not self._slots[0].holds(indices):
            self._slots[0].fill(self.dataset, indices)
        self._slots[0].hand_over(self.pictures, self.labels)

    def prefetch(self, indices: Array) -> None:
        """Begin to fetch the slices that the next `put` will name."""
        self._slots[1].fill(self.dataset, indices)

    def batch(self) -> tuple[Array, Array]:
        """The batch: normalised pictures (B, C, H, W) and labels (B,)."""
        x = gather(self.pictures, self._every, shift=self.normalise.shift, scale=self.normalise.scale)
        return x, self.labels

    def load(self, indices: Array) -> tuple[Array, Array]:
        """The slices of `indices`, however many, apart from the batches."""
        pictures = to_device(self.dataset.read(indices), self.device)
        return self.normalise(pictures), to_device(self.dataset.labels[indices], self.device)


class _Slot:
    """Room for a batch in pinned memory and on the GPU, and a stream that copies from one to the other."""

    def __init__(self, xp: Any, shape: tuple[int, ...]) -> None:
        self._cuda = None if xp is np else xp.cuda
        self._host, self._host_labels = self._pinned(shape, np.uint8), self._pinned(shape[:1], np.int64)
        self._pictures, self._labels = xp.empty(shape, np.uint8), xp.empty(shape[:1], np.int64)
        self._indices: Array | None = None
        if self._cuda is not None:
            self._stream = self._cuda.Stream(non_blocking=True)
            self._copied, self._used = (self._cuda.Event(disable_timing=True) for _ in range(2))
            self._used.record()

    def holds(self, indices: Array) -> bool:
        """Whether these slices have been fetched, or are on their way."""
        return self._indices is not None and np.array_equal(self._indices, indices)

    def fill(self, dataset: Dataset, indices: Array) -> None:
        """Read the slices and send them off; the pinned memory is free again when the last batch has left it."""
        if self._cuda is not None:
            self._copied.synchronize()
        self._host[...], self._host_labels[...] = dataset.read(indices), dataset.labels[indices]
        self._indices = np.array(indices)
        with nullcontext() if self._cuda is None else self._stream:
            if self._cuda is not None:
                self._stream.wait_event(self._used)
            upload(self._host, self._pictures)
            upload(self._host_labels, self._labels)
            if self._cuda is not None:
                self._copied.record(self._stream)

    def hand_over(self, pictures: Array, labels: Array) -> None:
        """Copy the slices to where the step looks for them, when they have arrived."""
        if self._cuda is not None:
            self._cuda.get_current_stream().wait_event(self._copied)
        pictures[...], labels[...] = self._pictures, self._labels
        if self._cuda is not None:
            self._used.record(self._cuda.get_current_stream())

    def _pinned(self, shape: tuple[int, ...], dtype: Any) -> Array:
        if self._cuda is None:
            return np.empty(shape, dtype)
        count = prod(shape)
        memory = self._cuda.alloc_pinned_memory(count * np.dtype(dtype).itemsize)
        return np.frombuffer(memory, dtype, count).reshape(shape)


Feed = ResidentFeed | StreamedFeed


def make_feed(
    dataset: Dataset, normalise: Normalisation, batch_size: int, device: str, *, free: int | None = None
) -> Feed:
    """Lay the dataset on the GPU where it fits into a share of the free memory (bytes; asked for where not given)."""
    if free is None:
        free = free_memory(device)
    kind = ResidentFeed if prod(dataset.images.shape) <= SHARE * free else StreamedFeed
    return kind(dataset, normalise, batch_size, device)


def free_memory(device: str) -> int:
    """Free bytes on the GPU; as good as endless on an emulated one."""
    xp = array_module(to_device(np.zeros(1), device))
    return 1 << 62 if xp is np else int(xp.cuda.runtime.memGetInfo()[0])
