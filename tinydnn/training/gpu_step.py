"""A whole training step on a GPU: forward, backward, update, captured once and then replayed.

A step of the baseline network is some fifty launches, each of a few to some hundred microseconds. Started one by one
from Python they would wait for Python. As a CUDA graph they are one launch.
"""

import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, to_device, upload
from tinydnn.layers import Dropout, Sequential
from tinydnn.optim import Optimizer
from tinydnn.training.gpu_feed import Feed

WARM_UPS = 2  # runs before a capture, in which kernels are compiled and memory is set aside


class GpuStep:
    """Training steps of a model on the batches of a feed; `step(indices)` returns the batch's loss and accuracy.

    The model's parameters must be on the GPU. `graph=False` launches kernel by kernel. `result`, on the GPU, is where a
    step leaves loss and accuracy.
    """

    def __init__(
        self, model: Sequential, optimizer: Optimizer, feed: Feed, *, precision: str = "fp32", graph: bool = True
    ) -> None:
        self.model, self.optimizer, self.feed, self.precision = model, optimizer, feed, precision
        self._xp = array_module(next(iter(model.parameters().values())).value)
        self._replay = Replay(self._work, self._xp) if graph else None
        self._dropouts = [layer for layer in model.layers if isinstance(layer, Dropout)]
        for layer in self._dropouts:
            layer.shape = ()  # of batches that others have shown it
        self._masks: list[Array] = []
        self.result = self._xp.zeros(2, np.float32)  # loss and accuracy
        self.stream = None if self._xp is np else self._xp.cuda.Stream()

    def __call__(self, indices: Array, *, then: Array | None = None) -> tuple[float, float]:
        """One step on the slices of `indices`; those of `then` are fetched meanwhile."""
        with self.on_stream(), ops.precision(self.precision):
            self.launch(indices)
            if then is not None:
                self.feed.prefetch(then)
            loss, accuracy = to_device(self.result, "cpu").tolist()  # waits for the GPU
        return loss, accuracy

    def launch(self, indices: Array) -> None:
        """Start a step and do not wait for it."""
        self.feed.put(indices)
        self.optimizer.prepare()
        self._draw_masks()
        for layer, mask in zip(self._dropouts, self._masks, strict=False):
            layer.drawn = mask
        try:
            if self._replay is None:
                self._work()
            else:
                self._replay(self._places())
        finally:
            for layer in self._dropouts:
                layer.drawn = None

    def on_stream(self) -> Any:
        """A context in which work goes to this step's stream."""
        return nullcontext() if self.stream is None else self.stream

    def pool_bytes(self) -> int:
        """The memory of the captured step's own pool."""
        return 0 if self._replay is None else self._replay.pool_bytes()

    def _work(self) -> None:
        x, y = self.feed.batch()
        logits, backward = self.model(x, training=True)
        loss, loss_backward = ops.softmax_cross_entropy(logits, y)
        backward(loss_backward(), need_dx=False)
        self.optimizer.apply()
        self.result[0] = loss
        self.result[1] = (logits.argmax(axis=1) == y).mean()

    def _draw_masks(self) -> None:
        """Draw on the CPU, as everywhere. In the first step the layers, which learn their shapes, draw themselves."""
        if not self._masks and all(layer.shape for layer in self._dropouts):
            self._masks = [self._xp.empty(layer.shape, bool) for layer in self._dropouts]
        for layer, mask in zip(self._dropouts, self._masks, strict=False):
            upload(layer.draw(), mask)

    def _places(self) -> list[Array]:
        """All that a captured step finds where it lies: if something moves, it is captured anew."""
        arrays = [one.value for one in self.model.parameters().values()]
        arrays += [one.value for one in self.model.buffers().values()]
        arrays += [array for of_all in self.optimizer.state.values() for array in of_all.values()]
        return [*arrays, *self._masks]


class Replay:
    """Work that is done as it is at first, then captured as a graph, then replayed.

    The memory that the work takes comes from a pool of its own: what it frees must not be lent to others, because
    each replay writes there again.
    """

    def __init__(self, work: Callable[[], None], xp: Any) -> None:
        self.work, self._xp = work, xp
        self._places: list[Array] = []
        self._runs = 0
        self._graph: Any = None
        self._pool: Any = None if xp is np else xp.cuda.MemoryPool()

    def pool_bytes(self) -> int:
        """How large the pool is."""
        return 0 if self._pool is None else int(self._pool.total_bytes())

    def __call__(self, places: list[Array]) -> None:
        """Do the work, on the arrays in `places` among others."""
        if len(places) != len(self._places) or any(a is not b for a, b in zip(places, self._places, strict=True)):
            self._places, self._runs, self._graph = places, 0, None
        if self._xp is np:  # an emulated GPU has no graphs: the same work, from the same places
            self.work()
            return
        cuda = self._xp.cuda
        stream = cuda.get_current_stream()
        if self._graph is None:
            with cuda.using_allocator(self._pool.malloc):
                if self._runs == WARM_UPS:
                    self._graph = self._captured(stream)
                if self._graph is None:
                    self._runs += 1
                    self.work()
                    return
        self._graph.launch(stream)

    def _captured(self, stream: Any) -> Any:
        """The work as a graph; none, with a warning, where it cannot be captured: then it goes on as it is."""
        try:
            stream.begin_capture()
            try:
                self.work()
            finally:
                graph = stream.end_capture()
        except Exception as error:
            text = f"the training step could not be captured as a CUDA graph and runs kernel by kernel: {error}"
            warnings.warn(text, stacklevel=2)
            return None
        return graph
