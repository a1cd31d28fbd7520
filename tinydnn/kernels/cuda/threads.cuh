// Block sizes of the simple kernels; Python launches with the same constants.
#pragma once

// One thread for each element of the result.
constexpr int THREADS = 256;

__device__ __forceinline__ long long element_index() {
    return static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
}

// Column sums of a matrix: a block sums LANES columns, GROUPS threads to a column. The threads take turns with the rows,
// then their sums are added in order.
constexpr int LANES = 32, GROUPS = THREADS / LANES;
