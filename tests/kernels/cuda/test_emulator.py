"""The emulator runs CUDA source as a GPU would and reports a faulty kernel in one line."""

import numpy as np
import pytest

from tinydnn.kernels.cuda.emulator import EmulatorError, Module

BLOCK_SUM = """
extern "C" __global__ void block_sum(const float* x, float* sums, int n) {
    __shared__ float partials[64];
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    partials[threadIdx.x] = k < n ? x[k] : 0.0f;
    __syncthreads();
    for (int offset = 32; offset > 0; offset /= 2) {
        if (threadIdx.x < offset) partials[threadIdx.x] += partials[threadIdx.x + offset];
        __syncthreads();
    }
    if (threadIdx.x == 0) sums[blockIdx.x] = partials[0];
}
"""


def kernel(code, name, **options):
    return Module(code=code, **options).get_function(name)


def fault(code, name, grid, block, args, **options):
    with pytest.raises(EmulatorError) as caught:
        kernel(code, name)(grid, block, args, **options)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_a_sum_over_blocks_is_right_in_every_thread_order():
    x, sums = np.arange(150, dtype=np.float32), np.zeros(3, np.float32)
    kernel(BLOCK_SUM, "block_sum")((3,), (64,), (x, sums, np.int32(150)))
    assert sums.tolist() == [x[:64].sum(), x[64:128].sum(), x[128:].sum()]


def test_a_missing_barrier_is_reported_with_its_line():
    code = BLOCK_SUM.replace("    __syncthreads();\n    for", "    for")
    x, sums = np.ones(64, np.float32), np.zeros(1, np.float32)
    text = fault(code, "block_sum", (1,), (64,), (x, sums, np.int32(64)))
    assert "a missing barrier: thread 32 writes shared memory that thread 0 has read" in text
    assert text.endswith("without a barrier between (kernel.cu, line 5)")
    assert sums[0] == 0  # a faulty launch leaves the caller's arrays unchanged


def test_a_missing_barrier_before_a_second_write_is_reported():
    code = BLOCK_SUM.replace("        __syncthreads();\n    }", "    }")
    x, sums = np.ones(64, np.float32), np.zeros(1, np.float32)
    assert "a missing barrier" in fault(code, "block_sum", (1,), (64,), (x, sums, np.int32(64)))


def test_a_barrier_in_divergent_code_is_a_deadlock():
    code = BLOCK_SUM.replace("        __syncthreads();\n    }", "        if (threadIdx.x < 16) __syncthreads();\n    }")
    x, sums = np.ones(64, np.float32), np.zeros(1, np.float32)
    text = fault(code, "block_sum", (1,), (64,), (x, sums, np.int32(64)))
    assert "a deadlock in block 0: 16 of 64 threads wait at __syncthreads, which 48 others never reach" in text


def test_a_shuffle_in_divergent_code_is_a_deadlock():
    code = """extern "C" __global__ void k(float* x) {
        if (threadIdx.x < 8) x[threadIdx.x] = __shfl_xor_sync(0xffffffffu, x[threadIdx.x], 1); }"""
    text = fault(code, "k", (1,), (32,), (np.zeros(32, np.float32),))
    assert "a deadlock in block 0: 8 wait at __shfl_xor_sync, which 24 others never reach" in text


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x[k] = y[k + 1];", "thread 31 of block 0 reads 0 bytes past the end of argument 1 (float32 (32,)) (kernel"),
        ("x[k - 1] = y[k];", "thread 0 of block 0 writes 4 bytes before the start of argument 0 (float32 (32,))"),
        ("x[2000000 * k] = y[k];", "out of bounds: thread 1 of block 0 writes"),
        ("__shared__ float s[31]; s[k] = y[k]; x[k] = s[k];", "thread 31 of block 0 writes 4 bytes outside every"),
    ],
)  # fmt: skip
def test_an_index_out_of_bounds_is_reported_with_its_line(line, expected):
    code = f'extern "C" __global__ void k(float* x, const float* y) {{\nint k = threadIdx.x;\n{line}\n}}'
    text = fault(code, "k", (1,), (32,), (np.zeros(32, np.float32), np.ones(32, np.float32)))
    assert expected in text


@pytest.mark.parametrize(
    ("args", "expected"),
    [
        ((np.zeros(4, np.float32), 3), "argument 1: expected int32, found int64"),
        ((np.zeros(4, np.float32), np.float32(3)), "argument 1: expected int32, found float32"),
        ((np.zeros(4), np.int32(3)), "argument 0: expected an array of float32, found an array of float64"),
        ((np.float32(1), np.int32(3)), "argument 0: expected an array of float32, found float32"),
        ((np.zeros(4, np.float32),), "expected 2 arguments, found 1"),
        ((np.zeros(8, np.float32)[::2], np.int32(3)), "argument 0: expected an array without gaps, found strides (8,)"),
    ],
)
def test_an_argument_of_the_wrong_type_is_refused(args, expected):
    code = 'extern "C" __global__ void k(float* x, int n) { if (threadIdx.x < n) x[threadIdx.x] = n; }'
    assert expected in fault(code, "k", (1,), (4,), args)


def test_none_is_a_null_pointer():
    code = 'extern "C" __global__ void k(float* x, const float* y, int n) { x[0] = y == nullptr ? n : y[0]; }'
    x = np.zeros(1, np.float32)
    kernel(code, "k")((1,), (1,), (x, None, np.int32(7)))
    assert x[0] == 7
    text = fault(code, "k", (1,), (1,), (x, np.ones(1, np.float32), None))
    assert "expected an array or a number as an argument of a kernel, found NoneType" in text


def test_blocks_that_write_to_the_same_address_are_a_race():
    code = 'extern "C" __global__ void k(float* x) { x[0] = blockIdx.x; }'
    assert "a race: thread 0 of block 1 writes memory that block 0 has written" in fault(
        code, "k", (2,), (1,), (np.zeros(1, np.float32),)
    )


def test_threads_that_write_to_the_same_address_are_reported():
    code = 'extern "C" __global__ void k(float* x) { x[0] = threadIdx.x; }'
    assert "thread 1 writes memory that thread 0 has written" in fault(
        code, "k", (1,), (2,), (np.zeros(1, np.float32),)
    )


def test_a_sum_whose_order_atomics_leave_open_is_reported():
    code = """extern "C" __global__ void k(float* x, const float* y) { atomicAdd(x, y[threadIdx.x]); }"""
    y = np.float32([1e8, 1, -1e8, 1] * 8)
    assert "give different bits from forward order" in fault(code, "k", (1,), (32,), (np.zeros(1, np.float32), y))


def test_writing_to_a_read_only_array_is_reported():
    x = np.zeros(4, np.float32)
    x.flags.writeable = False
    code = 'extern "C" __global__ void k(float* x) { x[threadIdx.x] = 1; }'
    assert "writes to argument 0 (float32 (4,)), which is read-only" in fault(code, "k", (1,), (4,), (x,))


def test_reading_before_an_asynchronous_copy_has_finished_gives_nan():
    code = """
__device__ void copy(float* to, const float* from) { emulator::async_copy(to, from, 4, 4); }
template <bool WAITS> __global__ void k(const float* x, float* z) {
    __shared__ float s[32];
    copy(s + threadIdx.x, x + threadIdx.x);
    emulator::async_commit();
    if (WAITS) emulator::async_wait(0);
    z[threadIdx.x] = s[threadIdx.x];
    emulator::async_wait(0);
}"""
    for waits in (True, False):
        x, z = np.ones(32, np.float32), np.zeros(32, np.float32)
        kernel(code, f"k<{str(waits).lower()}>")((1,), (32,), (x, z))
        assert np.array_equal(z, x) == waits
        assert np.isnan(z).all() != waits


def test_warps_shuffle_and_vote():
    code = """
extern "C" __global__ void k(const int* x, int* sums, unsigned* votes) {
    int sum = x[threadIdx.x];
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffffu, sum, offset);
    unsigned vote = __ballot_sync(0xffffffffu, x[threadIdx.x] % 3 == 0);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum, votes[threadIdx.x / 32] = vote;
}"""
    x, sums, votes = np.arange(96, dtype=np.int32), np.zeros(3, np.int32), np.zeros(3, np.uint32)
    kernel(code, "k")((1,), (96,), (x, sums, votes))
    assert sums.tolist() == x.reshape(3, 32).sum(1).tolist()
    assert votes.tolist() == [sum(1 << k for k in range(32) if (32 * warp + k) % 3 == 0) for warp in range(3)]


def test_the_launch_gives_the_size_of_dynamic_shared_memory():
    code = """template <class T> __global__ void flip(const T* x, T* z) {
    extern __shared__ T s[];
    s[threadIdx.x] = x[threadIdx.x];
    __syncthreads();
    z[threadIdx.x] = s[blockDim.x - 1 - threadIdx.x];
}"""
    x, z = np.arange(8.0), np.zeros(8)
    flip = kernel(code, "flip<double>", name_expressions=["flip<double>"])
    flip((1,), (8,), (x, z), shared_mem=64)
    assert z.tolist() == x[::-1].tolist()
    with pytest.raises(EmulatorError, match="thread 7 of block 0 writes 8 bytes outside every shared array"):
        flip((1,), (8,), (x, z), shared_mem=56)
    with pytest.raises(EmulatorError, match="expected at most 49152 bytes of dynamic shared memory, found 50000"):
        flip((1,), (8,), (x, z), shared_mem=50_000)
    flip.max_dynamic_shared_size_bytes = 50_000
    flip((1,), (8,), (x, z), shared_mem=50_000)


@pytest.mark.parametrize(
    ("code", "name", "expected"),
    [
        ('extern "C" __global__ void k(int* x) { x[0] = y; }', "k", "the kernel does not compile: kernel.cu:1:"),
        ('extern "C" __global__ void k(int* x) {}', "other", "other: expected the name of a kernel in the source"),
    ],
)
def test_source_without_the_kernel_is_refused(code, name, expected):
    with pytest.raises(EmulatorError, match=expected):
        kernel(code, name)


@pytest.mark.parametrize(
    ("grid", "block", "expected"),
    [((1,), (1025,), "at most 1024 threads"), ((0,), (1,), "sizes above 0"), ((1, 70_000), (1,), "at most 65535")],
)
def test_launches_beyond_a_gpus_limits_are_refused(grid, block, expected):
    code = 'extern "C" __global__ void k() {}'
    assert expected in fault(code, "k", grid, block, ())


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("TINYDNN_CACHE", str(tmp_path))
    monkeypatch.setattr("tinydnn.kernels.cuda.emulator.build.COMPILER", "no-such-compiler")
    with pytest.raises(EmulatorError, match="needs the compiler no-such-compiler, which is not installed"):
        kernel('extern "C" __global__ void k() {}', "k")
