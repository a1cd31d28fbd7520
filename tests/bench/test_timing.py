"""Times are measured in turns and with their spread; verdicts claim no more than the times allow."""

import time

import numpy as np
import pytest

from tinydnn import ops
from tinydnn.bench import comparison, timing
from tinydnn.bench.costs import Cost, bench_case, costs
from tinydnn.bench.peaks import Peaks
from tinydnn.bench.timing import Sample, measure
from tinydnn.bench.verdict import Verdict, suspicion, verdict
from tinydnn.errors import InputError


def around(median, spread):
    return Sample(tuple(np.linspace(median - spread, median + spread, 21)))


@pytest.mark.parametrize(
    ("sample", "baseline", "expected"),
    [
        (around(1, 0.1), around(2, 0.1), Verdict.FASTER),
        (around(2, 0.1), around(1, 0.1), Verdict.SLOWER),
        (around(1, 0.05), around(1.01, 0.05), Verdict.SAME),
        (around(1, 0.6), around(1.01, 0.05), Verdict.UNCLEAR),  # alike, but too noisy
        (around(1, 0.5), around(1.3, 0.5), Verdict.UNCLEAR),  # they overlap
        (around(1, 0.001), around(1.01, 0.001), Verdict.SAME),  # different, but not noticeably
    ],
)
def test_a_verdict_needs_times_that_do_not_overlap(sample, baseline, expected):
    assert verdict(sample, baseline) == expected


def test_a_sample_has_a_median_and_a_spread():
    sample = Sample((1.0, 2.0, 3.0, 4.0, 5.0, 100.0))
    assert sample.median == 3.5
    assert (sample.p20, sample.p80) == (2.0, 5.0)
    assert sample.noise == pytest.approx(3 / 3.5)


def test_implausibly_short_times_are_suspicious():
    assert suspicion(1.0, 0.5, [2.0]) == ""
    assert suspicion(0.4, 0.5, [2.0]).startswith("suspicious: 125% of the peak")
    assert suspicion(0.1, 0.01, [1.5, 2.0]) == "suspicious: 15 times as fast as the best of the others"


class Clock:
    """A clock that only kernels advance."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def taking(self, forward, backward, first=0.0):
        """A kernel that takes `forward` and `backward` seconds, and `first` more at its first call."""
        extra = [first]

        def back():
            self.now += backward
            return np.ones(1)

        def run():
            self.now += forward + (extra.pop() if extra else 0.0)
            return np.ones(1), back

        return run


def test_a_kernel_that_takes_twice_as_long_is_slower(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 8)
    clock = Clock()
    found = measure({"one": clock.taking(0.01, 0.02), "two": clock.taking(0.02, 0.01)}, clock=clock)
    assert verdict(found["two"].forward, found["one"].forward) == Verdict.SLOWER
    assert verdict(found["two"].backward, found["one"].backward) == Verdict.FASTER
    assert found["one"].forward.median == pytest.approx(0.01)
    assert found["one"].backward.median == pytest.approx(0.02)


def test_slow_kernels_get_fewer_runs_and_first_calls_do_not_count(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 12)
    clock = Clock()
    kernels = {"slow": clock.taking(0.02, 0.0), "compiles": clock.taking(0.001, 0.0, first=0.1)}
    found = measure(kernels, seconds=0.09, clock=clock)
    assert len(found["slow"].forward.seconds) == 5
    assert len(found["compiles"].forward.seconds) == 12
    assert found["compiles"].first_call == pytest.approx(0.101)
    assert max(found["compiles"].forward.seconds) == pytest.approx(0.001)


def test_the_default_clock_is_real(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 3)

    def sleeps():
        time.sleep(0.01)
        return np.ones(1), lambda: np.ones(1)

    assert measure({"sleeps": sleeps})["sleeps"].forward.median >= 0.01


def test_temporary_memory_excludes_the_results():
    def run():
        scratch = np.ones(1 << 20)  # 8 MB
        value = np.full(1 << 17, scratch.sum())  # 1 MB
        del scratch
        return value, lambda: np.ones(1 << 17)

    temporary = measure({"one": run}, seconds=0.01)["one"].temporary
    assert 8 << 20 <= temporary + (1 << 20) <= 9.2 * (1 << 20)


def test_the_order_is_shuffled_and_every_kernel_has_as_many_turns(monkeypatch):
    monkeypatch.setattr(timing, "ROUNDS", 10)
    turns = []

    def named(name):
        def run():
            turns.append(name)
            return np.ones(1), lambda: np.ones(1)

        return run

    measure({name: named(name) for name in "abc"})
    rounds = ["".join(turns[k : k + 3]) for k in range(6, len(turns), 3)]  # after first calls and memory measurements
    assert len(rounds) == 10
    assert all(sorted(names) == ["a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 2


def test_costs_count_products_and_bytes():
    case = bench_case("conv2d", ((2, 3, 8, 10), (4, 3, 3, 3)))
    forward, backward = costs(case, "float32")
    pixels = 2 * 4 * 8 * 10
    assert forward == Cost(2 * 27 * pixels, 4 * (2 * 3 * 8 * 10 + 4 * 27 + 4 + pixels))
    assert backward.flops == 2 * forward.flops
    assert costs(case, "float64")[0].bytes == 2 * forward.bytes
    linear = costs(bench_case("linear", ((5, 7), (3, 7))), "float32")[0]
    assert linear == Cost(2 * 5 * 7 * 3, 4 * (35 + 21 + 3 + 15))


def test_the_slower_resource_is_the_bound():
    peaks = Peaks(gflops=100, gbytes=10)
    assert Cost(10**9, 10**6).bound(peaks) == ("arithmetic", 0.01)
    assert Cost(10**6, 10**9).bound(peaks) == ("memory", 0.1)


@pytest.mark.parametrize(
    ("operation", "shapes"), [("relu", ((1, 2), (3, 4))), ("conv2d", ((8, 16),)), ("conv2d", ((1, 1, 4, 4), (1, 1)))]
)
def test_unsuitable_shapes_are_refused(operation, shapes):
    with pytest.raises(InputError, match="--shape: expected"):
        bench_case(operation, shapes)


@pytest.mark.parametrize(
    ("operation", "x", "others"),
    [
        ("attention_pool2d", (2, 3, 4, 5), [(2, 1, 4, 5)]),
        ("gate2d", (2, 3, 4, 5), [(2, 3)]),
        ("layernorm", (2, 5, 4), [(4,), (4,)]),
        ("multihead_attention", (2, 5, 4), [(2, 5, 4), (2, 5, 4)]),
    ],
)
def test_the_other_arguments_have_the_shapes_that_x_asks_for(operation, x, others):
    case = bench_case(operation, (x,))
    assert case.shapes == (x, *others)
    forward, backward = costs(case, "float32")
    assert 0 < forward.flops < backward.flops


def test_the_cost_of_attention_is_that_of_its_products():
    forward, backward = costs(bench_case("multihead_attention", ((2, 5, 4),)), "float32")
    assert (forward.flops, backward.flops) == (2 * 2 * 2 * 5 * 5 * 4, 2 * 4 * 2 * 5 * 5 * 4)


def test_making_the_arguments_is_not_timed():
    case = bench_case("batchnorm2d", ((2, 3, 4, 5),))
    arrays = [x.astype(np.float32) for x in case.arrays()]
    run = comparison.make_pass(case, "reference", arrays)
    assert comparison._label(run) == "reference"
    with ops.trace() as calls:
        run()[1]()
    assert [call.operation for call in calls] == ["batchnorm2d"]
