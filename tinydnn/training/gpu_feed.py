"""Batches on a GPU: from a dataset that is resident there, or one that is streamed there while the GPU computes.

Either way images are transferred and stored as bytes, and normalised on the GPU. A feed writes every batch of its
fixed size to the same addresses, which a captured step reads.
"""

from contextlib import nullcontext
from math import prod
from typing import Any

import numpy as np

from tinydnn.backend import Array, array_module, to_device, upload
from tinydnn.data.dataset import Dataset
from tinydnn.data.normalise import Normalisation
from tinydnn.kernels.cuda.pixels import gather

SHARE = 0.4  # of the free memory that a resident dataset may take
READ = 256  # slices per read


class ResidentFeed:
    """All slices are on the GPU; a batch is gathered from them by its indices."""

    where = "are resident on the GPU"

    def __init__(self, dataset: Dataset, normalise: Normalisation, batch_size: int, device: str) -> None:
        self.normalise = normalise
        self.labels = to_device(dataset.labels, device)
        xp = array_module(self.labels)
        self.images = xp.empty((len(dataset), *dataset.images.shape[1:]), np.uint8)
        for start in range(0, len(dataset), READ):
            indices = np.arange(start, min(start + READ, len(dataset)))
            upload(dataset.read(indices), self.images[start : start + len(indices)])
        self.indices = xp.zeros(batch_size, np.int64)

    def put(self, indices: Array) -> None:
        """Select the slices of the next batch."""
        upload(indices, self.indices)

    def prefetch(self, indices: Array) -> None:
        """No-op: all slices are on the GPU."""

    def batch(self) -> tuple[Array, Array]:
        """The batch: normalised images (B, C, H, W) and labels (B,)."""
        return self.load(self.indices)

    def load(self, indices: Array) -> tuple[Array, Array]:
        """Any slices, independently of the batch: normalised images and labels."""
        indices = array_module(self.labels).asarray(indices)
        x = gather(self.images, indices, shift=self.normalise.shift, scale=self.normalise.scale)
        return x, self.labels[indices]


class StreamedFeed:
    """Slices stay on the host; the next batch passes through pinned memory while the GPU works on the current one.

    There are two buffers: one is filled while the other is in use.
    """

    where = "are streamed to the GPU, because they would take too much of its memory"

    def __init__(self, dataset: Dataset, normalise: Normalisation, batch_size: int, device: str) -> None:
        self.dataset, self.normalise, self.device = dataset, normalise, device
        self.labels = to_device(np.zeros(batch_size, np.int64), device)
        xp = array_module(self.labels)
        shape = (batch_size, *dataset.images.shape[1:])
        self.images = xp.zeros(shape, np.uint8)
        self._all = xp.arange(batch_size)
        self._buffers = [_Buffer(xp, shape) for _ in range(2)]

    def put(self, indices: Array) -> None:
        """Select the slices of the next batch; reads them unless they were prefetched."""
        if not self._buffers[0].holds(indices):
            self._buffers.reverse()
        if not self._buffers[0].holds(indices):
            self._buffers[0].fill(self.dataset, indices)
        self._buffers[0].copy_to(self.images, self.labels)

    def prefetch(self, indices: Array) -> None:
        """Start fetching the slices that the next `put` will select."""
        self._buffers[1].fill(self.dataset, indices)

    def batch(self) -> tuple[Array, Array]:
        """The batch: normalised images (B, C, H, W) and labels (B,)."""
        x = gather(self.images, self._all, shift=self.normalise.shift, scale=self.normalise.scale)
        return x, self.labels

    def load(self, indices: Array) -> tuple[Array, Array]:
        """Any slices, independently of the batch: normalised images and labels."""
        images = to_device(self.dataset.read(indices), self.device)
        return self.normalise(images), to_device(self.dataset.labels[indices], self.device)


class _Buffer:
    """A batch in pinned memory and on the GPU, and a stream that copies from one to the other."""

    def __init__(self, xp: Any, shape: tuple[int, ...]) -> None:
        self._cuda = None if xp is np else xp.cuda
        self._host, self._host_labels = self._pinned(shape, np.uint8), self._pinned(shape[:1], np.int64)
        self._images, self._labels = xp.empty(shape, np.uint8), xp.empty(shape[:1], np.int64)
        self._indices: Array | None = None
        if self._cuda is not None:
            self._stream = self._cuda.Stream(non_blocking=True)
            self._copied, self._used = (self._cuda.Event(disable_timing=True) for _ in range(2))
            self._used.record()

    def holds(self, indices: Array) -> bool:
        """Whether these slices have been fetched or are being fetched."""
        return self._indices is not None and np.array_equal(self._indices, indices)

    def fill(self, dataset: Dataset, indices: Array) -> None:
        """Read the slices and start their transfer, once the previous batch has left the pinned memory."""
        if self._cuda is not None:
            self._copied.synchronize()
        self._host[...], self._host_labels[...] = dataset.read(indices), dataset.labels[indices]
        self._indices = np.array(indices)
        with nullcontext() if self._cuda is None else self._stream:
            if self._cuda is not None:
                self._stream.wait_event(self._used)
            upload(self._host, self._images)
            upload(self._host_labels, self._labels)
            if self._cuda is not None:
                self._copied.record(self._stream)

    def copy_to(self, images: Array, labels: Array) -> None:
        """Copy the slices to the arrays of the step once they have arrived."""
        if self._cuda is not None:
            self._cuda.get_current_stream().wait_event(self._copied)
        images[...], labels[...] = self._images, self._labels
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
    """A resident feed if the dataset fits into a share of the `free` bytes (None: queried), else a streamed one."""
    if free is None:
        free = free_memory(device)
    kind = ResidentFeed if prod(dataset.images.shape) <= SHARE * free else StreamedFeed
    return kind(dataset, normalise, batch_size, device)


def free_memory(device: str) -> int:
    """Free bytes on the GPU; practically unlimited on an emulated one."""
    xp = array_module(to_device(np.zeros(1), device))
    return 1 << 62 if xp is np else int(xp.cuda.runtime.memGetInfo()[0])
