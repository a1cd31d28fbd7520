// The second stage of a sum over pixels: partials (S, 9·C·O + O) are added in order.
//
//   dw[o,c,tap] = Σ_s partials[s, (tap·C + c)·O + o],     db[o] = Σ_s partials[s, 9·C·O + o]
//
// Each row of a block reads LANES neighbours, 128 bytes. Memory-bound: S · (9·C·O + O) · 4 bytes, which the first stage left
// in the L2 cache.
#include "threads.cuh"

__global__ void __launch_bounds__(LANES * GROUPS)
sum_partials(const float* partials, int count, int taps, int channels, int out_channels, float* dw, float* db) {
    __shared__ float sums[LANES * GROUPS];
    int lane = threadIdx.x % LANES, group = threadIdx.x / LANES;
    long long weights = static_cast<long long>(taps) * channels * out_channels, size = weights + out_channels;
    long long k = static_cast<long long>(blockIdx.x) * LANES + lane;
    float sum = 0;
    if (k < size)
#pragma unroll 4
        for (int s = group; s < count; s += GROUPS) sum += partials[s * size + k];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (group != 0 || k >= size) return;
    for (int other = 1; other < GROUPS; other++) sum += sums[other * LANES + lane];
    if (k >= weights) {
        if (db != nullptr) db[k - weights] = sum;
    } else {
        long long o = k % out_channels, c = k / out_channels % channels, tap = k / out_channels / channels;
        dw[(o * channels + c) * taps + tap] = sum;
    }
}
