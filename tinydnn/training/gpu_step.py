"""The training step on a GPU, captured once as a CUDA graph and then replayed.

A step of the baseline network is about forty launches of a few to a few hundred microseconds each. Launched one by one,
the GPU would wait for Python between them. As a CUDA graph they are one launch.
"""

import warnings
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

import numpy as np

from tinydnn import ops
from tinydnn.backend import Array, array_module, to_device, upload
from tinydnn.kernels.cuda.step_result import write_step_result
from tinydnn.layers import Dropout, Sequential
from tinydnn.layers.dropout import dropout_masks
from tinydnn.layers.layer import Shape
from tinydnn.optim import Optimizer
from tinydnn.training.gpu_feed import Feed
from tinydnn.training.loss import Loss
from tinydnn.training.step import StepResult, training_step

WARM_UPS = 2  # runs before the capture, in which kernels are compiled and memory is allocated


class GpuStep:
    """Training steps of a model on the batches of a feed.

    The model's parameters must be on the GPU. `graph=False` launches kernel by kernel. `result`, on the GPU, receives
    the `StepResult` of each step.
    """

    def __init__(
        self, model: Sequential, optimizer: Optimizer, feed: Feed, *, precision: str = "fp32", graph: bool = True
    ) -> None:
        self.model, self.optimizer, self.feed, self.precision = model, optimizer, feed, precision
        self._xp = array_module(next(iter(model.parameters().values())).value)
        self._replay = Replay(self._work, self._xp) if graph else None
        self._masks: dict[Dropout, Array] = {}
        self.result = self._xp.zeros(len(StepResult._fields), np.float32)
        self.stream = None if self._xp is np else self._xp.cuda.Stream()

    def __call__(self, indices: Array, upcoming: Array | None = None) -> StepResult:
        """Run a step on the slices `indices` and wait for it; the feed fetches the `upcoming` ones meanwhile."""
        with self.on_stream(), ops.precision(self.precision):
            self.launch(indices)
            if upcoming is not None:
                self.feed.prefetch(upcoming)
            return StepResult(*to_device(self.result, "cpu"))  # waits for the GPU

    def launch(self, indices: Array) -> None:
        """Start a step without waiting for it."""
        self.feed.put(indices)
        self.optimizer.prepare()
        for layer, mask in self._masks.items():
            upload(layer.draw(mask.shape), mask)
        with dropout_masks(self._mask):
            if self._replay is None:
                self._work()
            else:
                self._replay(self._captured_arrays())

    def on_stream(self) -> Any:
        """A context in which work is queued on this step's stream."""
        return nullcontext() if self.stream is None else self.stream

    @property
    def captured(self) -> bool:
        """Whether the last step was a replay of the captured one, not launched kernel by kernel."""
        return self._replay is not None and self._replay.captured

    def pool_bytes(self) -> int:
        """The size of the captured step's memory pool."""
        pool = None if self._replay is None else self._replay.pool
        return 0 if pool is None else int(pool.total_bytes())

    def _work(self) -> None:
        x, y = self.feed.batch()
        training_step(self.model, self.optimizer.apply, x, y, result=self._write_result)

    def _write_result(self, loss: Loss, y: Array) -> StepResult:
        write_step_result(self.result, loss.total, loss.image_loss, loss.logits, y)
        return StepResult(*self.result)

    def _mask(self, layer: Dropout, shape: Shape) -> Array:
        """The array of a layer's dropout mask, always the same; the first call allocates it and draws the mask."""
        if layer not in self._masks:
            self._masks[layer] = self._xp.asarray(layer.draw(shape))
        return self._masks[layer]

    def _captured_arrays(self) -> list[Array]:
        """The arrays whose addresses a captured step contains: if any is replaced, the step is captured again."""
        arrays = [parameter.value for parameter in self.model.parameters().values()]
        arrays += [buffer.value for buffer in self.model.buffers().values()]
        arrays += [array for averages in self.optimizer.state.values() for array in averages.values()]
        return [*arrays, *self._masks.values()]


class Replay:
    """Work that is run directly at first, then captured as a CUDA graph, and replayed from then on.

    The work allocates from its own pool. Memory that it frees must not be reused elsewhere: each replay writes there.
    """

    def __init__(self, work: Callable[[], None], xp: Any) -> None:
        self.work, self._xp = work, xp
        self._arrays: list[Array] = []
        self._runs = 0
        self._graph: Any = None
        self.pool: Any = None if xp is np else xp.cuda.MemoryPool()

    @property
    def captured(self) -> bool:
        """Whether the work has been captured, and its arrays are still the same."""
        return self._graph is not None

    def __call__(self, arrays: list[Array]) -> None:
        """Do the work. It is captured anew if any of these arrays has been replaced."""
        if len(arrays) != len(self._arrays) or any(a is not b for a, b in zip(arrays, self._arrays, strict=True)):
            self._arrays, self._runs, self._graph = arrays, 0, None
        if self._xp is np:  # an emulated GPU has no graphs: the same work on the same arrays
            self.work()
            return
        cuda = self._xp.cuda
        stream = cuda.get_current_stream()
        if self._graph is None:
            with cuda.using_allocator(self.pool.malloc):
                if self._runs == WARM_UPS:
                    self._graph = self._capture(stream)
                if self._graph is None:
                    self._runs += 1
                    self.work()
                    return
        self._graph.launch(stream)

    def _capture(self, stream: Any) -> Any:
        """The work as a graph, or None with a warning if it cannot be captured; it then runs kernel by kernel."""
        try:
            stream.begin_capture()
            self.work()
            return stream.end_capture()
        except BaseException as error:
            with suppress(Exception):  # the capture must be left, which fails if the error has invalidated it
                stream.end_capture()
            if not isinstance(error, Exception):
                raise  # Ctrl-C
            text = f"the training step could not be captured as a CUDA graph and runs kernel by kernel: {error}"
            warnings.warn(text, stacklevel=2)
            return None
