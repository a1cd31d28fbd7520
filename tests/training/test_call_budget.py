"""The Python overhead of a training iteration, and the distance from the loop to the first kernel.

Layers of indirection creep in one at a time, so two budgets guard against them: a reader follows a training step call
by call, and every Python call costs time in which no kernel computes.
"""

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

import tinydnn
from tinydnn import SGD, ops
from tinydnn.kernels.cpu.threads import set_thread_count
from tinydnn.models import baseline_cnn
from tinydnn.optim import constant
from tinydnn.training.protocol import Step

CALLS_PER_ITERATION = 800  # at most: calls of the package's Python functions, in all threads
FRAMES_TO_FIRST_KERNEL = 10  # at most: the package's frames on the stack, the kernel's included

PACKAGE = f"{Path(tinydnn.__file__).parent}/"
SIZE, BATCH, ITERATIONS = 64, 8, 3


class Profile:
    """A profile function: the calls into the package, and the stack below the first kernel."""

    def __init__(self):
        self.calls = []  # names, one per call
        self.first_kernel_stack = []  # names, the kernel first
        self._kernels = {
            implementation.function.__code__
            for operation in ops.operations().values()
            for implementation in operation.implementations.values()
            if implementation.function.__module__.startswith("tinydnn.kernels.")
        }

    def __call__(self, frame, event, argument):
        if event != "call" or not frame.f_code.co_filename.startswith(PACKAGE):
            return
        self.calls.append(frame.f_code.co_qualname)
        if frame.f_code in self._kernels and not self.first_kernel_stack:
            self.first_kernel_stack = stack_of_package(frame)


def stack_of_package(frame):
    """The names of the package's functions on the stack, from this frame outwards."""
    names = []
    while frame is not None:
        if frame.f_code.co_filename.startswith(PACKAGE):
            names.append(frame.f_code.co_qualname)
        frame = frame.f_back
    return names


@pytest.fixture
def profile(random_dataset, simple_trainer):
    """The profile of some iterations of the baseline network, after an epoch in which kernels are compiled.

    Kernels run in one thread: every further thread would add its own calls for its part of the batch.
    """
    train = np.arange(BATCH * ITERATIONS)
    held_out = len(train) + np.arange(3)

    def records():
        model = baseline_cnn(image_size=SIZE)
        optimizer = SGD(model.parameters(), lr=0.01, momentum=0.9)
        dataset = random_dataset(len(train) + len(held_out), SIZE)
        return simple_trainer(model, optimizer, constant(0.01), dataset, train, held_out, BATCH, 1).run()

    set_thread_count(1)
    list(records())
    profile, profiled = Profile(), records()
    before, before_in_threads = sys.getprofile(), threading.getprofile()
    threading.setprofile(profile)  # for the prefetch thread, which the first record starts
    sys.setprofile(profile)
    try:
        steps = [next(profiled) for _ in range(ITERATIONS)]
    finally:
        sys.setprofile(before)
        threading.setprofile(before_in_threads)
        set_thread_count(None)
    profiled.close()
    assert all(isinstance(step, Step) for step in steps)
    return profile


def test_an_iteration_stays_within_its_budget_of_python_calls(profile):
    """The budget is that of the compiled kernels: those in NumPy make many more calls by nature."""
    pytest.importorskip("numba", reason="Numba is not installed: the kernels in NumPy have no call budget")
    assert "Trainer.run" in profile.calls
    assert "Trainer._load" in profile.calls  # in the prefetch thread
    assert len(profile.calls) / ITERATIONS <= CALLS_PER_ITERATION


def test_the_first_kernel_is_few_frames_below_the_training_loop(profile):
    assert profile.first_kernel_stack[-1] == "Trainer.run"
    assert len(profile.first_kernel_stack) <= FRAMES_TO_FIRST_KERNEL
