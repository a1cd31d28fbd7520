// The second stage of a sum over pixels: parts (S, 9·C·O + O) are added in their order.
//
//   dw[o,c,tap] = Σ_s parts[s, (tap·C + c)·O + o],     db[o] = Σ_s parts[s, 9·C·O + o]
//
// A block adds 32 numbers with 8 threads each; every thread reads every 8th part, 32 neighbours to a row: 128 bytes. Bound by
// memory: S · (9·C·O + O) · 4 bytes, which the stage before left in the second-level cache.
constexpr int LANES = 32, GROUPS = 8;

__global__ void __launch_bounds__(LANES * GROUPS)
sum_parts(const float* parts, int count, int taps, int channels, int out_channels, float* dw, float* db) {
    __shared__ float sums[LANES * GROUPS];
    int lane = threadIdx.x % LANES, group = threadIdx.x / LANES;
    long long weights = static_cast<long long>(taps) * channels * out_channels, size = weights + out_channels;
    long long k = static_cast<long long>(blockIdx.x) * LANES + lane;
    float sum = 0;
    if (k < size)
#pragma unroll 4
        for (int s = group; s < count; s += GROUPS) sum += parts[s * size + k];
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
