"""Streams, graphs, events and memory pools of the stand-in. Work is done at once, or recorded while a stream captures.

As on a GPU, nothing is computed while a stream captures: the work happens each time the graph is launched, on the
arrays of the capture. New arrays hold NaN until then.
"""

from collections import Counter
from contextlib import contextmanager
from time import perf_counter


class CaptureError(RuntimeError):
    """What CUDA or CuPy would refuse while a stream captures, or what would make the graph wrong."""


class Graph:
    """The recorded work: `nodes` are pairs of a kind, such as a kernel's name, and a function."""

    def __init__(self):
        self.nodes = []

    def launch(self, stream=None):
        for _, work in self.nodes:
            work()

    def kinds(self):
        """How many nodes there are of each kind."""
        return Counter(kind for kind, _ in self.nodes)

    def debug_dot_str(self):
        lines = [f'"graph_1_node_{k}"[label="{kind}"];' for k, (kind, _) in enumerate(self.nodes)]
        return "\n".join(["digraph {", *lines, "}"])


class Stream:
    """A stream; `graph` is the one that it records, None if it does not capture."""

    def __init__(self, non_blocking=False):
        self.graph = None

    def __enter__(self):
        _streams.append(self)
        return self

    def __exit__(self, *error):
        assert _streams.pop() is self

    def synchronize(self):
        forbid("a synchronisation")

    def wait_event(self, event):
        assert isinstance(event, Event)

    def begin_capture(self):
        if self is _streams[0]:
            raise CaptureError("the null stream cannot capture")
        self.graph = Graph()

    def end_capture(self):
        assert self.graph is not None
        graph, self.graph = self.graph, None
        return graph


class Event:
    """A point in time."""

    def __init__(self, disable_timing=False):
        self.seconds = 0.0

    def record(self, stream=None):
        self.seconds = perf_counter()

    def synchronize(self):
        forbid("a synchronisation")


class MemoryPool:
    """A pool that counts the bytes allocated from it; `malloc` names it as the allocator."""

    def __init__(self):
        self.bytes = 0

    def malloc(self, size):
        self.bytes += size

    def total_bytes(self):
        return self.bytes

    def free_all_blocks(self):
        pass


_streams = [Stream()]  # the null stream, then those of `with` blocks
default_pool = MemoryPool()
_allocators = [default_pool.malloc]


def current_stream():
    """The stream of the innermost `with` block, else the null stream."""
    return _streams[-1]


@contextmanager
def using_allocator(allocator):
    """Allocate with this function within the block."""
    _allocators.append(allocator)
    try:
        yield
    finally:
        _allocators.pop()


def forbid(what):
    """Raise if the current stream captures."""
    if current_stream().graph is not None:
        raise CaptureError(f"{what} while the stream captures")


def allocate(size, what):
    """Allocate memory. A captured one must come from a pool of its own: memory of the default pool is used again."""
    if _allocators[-1] == default_pool.malloc:
        forbid(f"{what}: an allocation outside a pool of its own")
    _allocators[-1](size)


def do(kind, work):
    """Do the work, or record it as a node of the graph."""
    graph = current_stream().graph
    if graph is None:
        work()
    else:
        graph.nodes.append((kind, work))
