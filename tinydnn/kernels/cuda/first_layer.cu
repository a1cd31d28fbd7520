// The first layer of the paper's network, in float32 on the ordinary cores: one input channel, 3 × 3, stride 1, ReLU, 2 × 2
// max pooling; forward, and the gradients of kernel and bias. Channels-last.
//
// Here memory is the bound, not arithmetic. For a batch of 128 pictures of 256 × 256 with 16 channels: 33.6 MB in, 134 MB of
// pooled values and 34 MB of bytes out are 202 MB, 60 µs at 3.35 TB/s; 2.4 GFLOP are 36 µs at 67 TFLOP/s. Both passes move the
// same bytes. A thread makes (or reads) 4 channels of a pooled pixel: 16 bytes, and 4 threads 64 bytes side by side. Its 36
// weights, or sums, stay in registers over all its pixels; the 4 × 4 pixels that a window sees come from shared memory.
#include "pooling.cuh"

constexpr int HIGH = 8, WIDE = 32, TAPS = 9, GROUP = 16, THREADS = 256;  // pooled pixels, channels of a block
constexpr int ROWS = 2 * HIGH + 2, COLUMNS = 2 * WIDE + 2;

// The pixels that a tile of windows sees, with zeros outside the picture.
__device__ __forceinline__ void load_pixels(float* seen, const float* x, int n, int top, int left, int height, int width) {
    for (int k = threadIdx.x; k < ROWS * COLUMNS; k += THREADS) {
        int y = top + k / COLUMNS, at = left + k % COLUMNS;
        bool inside = y >= 0 && y < height && at >= 0 && at < width;
        seen[k] = inside ? x[(static_cast<long long>(n) * height + y) * width + at] : 0;
    }
}

__device__ __forceinline__ void window_of(float (&window)[16], const float* seen, int row, int column) {
#pragma unroll
    for (int u = 0; u < 4; u++)
#pragma unroll
        for (int v = 0; v < 4; v += 2) {
            float2 two = *reinterpret_cast<const float2*>(seen + (2 * row + u) * COLUMNS + 2 * column + v);
            window[4 * u + v] = two.x, window[4 * u + v + 1] = two.y;
        }
}

__global__ void __launch_bounds__(THREADS, 3)
first_forward(const float* x, int x_height, int x_width, const float* w, const float* bias, float* z, unsigned char* winner,
              int height, int width, int channels, int padding) {
    __shared__ __align__(16) float seen[ROWS * COLUMNS];
    int across = (width + WIDE - 1) / WIDE, down = (height + HIGH - 1) / HIGH;
    int left = blockIdx.x % across * WIDE, top = blockIdx.x / across % down * HIGH, n = blockIdx.x / (across * down);
    int o = blockIdx.y * GROUP + threadIdx.x % 4 * 4;
    load_pixels(seen, x, n, 2 * top - padding, 2 * left - padding, x_height, x_width);
    float weights[TAPS][4], added[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        added[j] = bias != nullptr && o + j < channels ? bias[o + j] : 0;
#pragma unroll
        for (int tap = 0; tap < TAPS; tap++) weights[tap][j] = o + j < channels ? w[(o + j) * TAPS + tap] : 0;
    }
    __syncthreads();
#pragma unroll 1
    for (int k = threadIdx.x / 4; k < HIGH * WIDE; k += THREADS / 4) {
        int row = k / WIDE, column = k % WIDE;
        if (top + row >= height || left + column >= width) continue;
        float window[16];
        window_of(window, seen, row, column);
        float best[4];
        unsigned char who[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float sums[4] = {};
#pragma unroll
            for (int phase = 0; phase < 4; phase++)
#pragma unroll
                for (int tap = 0; tap < TAPS; tap++)
                    sums[phase] += weights[tap][j] * window[(phase / 2 + tap / 3) * 4 + phase % 2 + tap % 3];
            int won;
            best[j] = pooled(sums[0], sums[1], sums[2], sums[3], added[j], won);
            who[j] = won;
        }
        long long at = ((static_cast<long long>(n) * height + top + row) * width + left + column) * channels + o;
        if (channels % 4 == 0 && o < channels) {
            *reinterpret_cast<float4*>(z + at) = make_float4(best[0], best[1], best[2], best[3]);
            *reinterpret_cast<uchar4*>(winner + at) = make_uchar4(who[0], who[1], who[2], who[3]);
        } else
#pragma unroll
            for (int j = 0; j < 4; j++)
                if (o + j < channels) z[at + j] = best[j], winner[at + j] = who[j];
    }
}

// Sums of a block over every gridDim.x-th tile, into a part of its own: (9, O), then O of the bias. `sum_parts` adds them.
__global__ void __launch_bounds__(THREADS, 2)
first_weight_gradient(const float* x, int x_height, int x_width, const float* dz, const unsigned char* winner, int height,
                      int width, int channels, int pictures, int padding, float* parts) {
    __shared__ __align__(16) float seen[ROWS * COLUMNS];
    constexpr int EACH = 4 * (TAPS + 1);
    __shared__ float of_warps[THREADS / 32 * 4 * EACH];
    int across = (width + WIDE - 1) / WIDE, down = (height + HIGH - 1) / HIGH, tiles = pictures * across * down;
    int o = blockIdx.y * GROUP + threadIdx.x % 4 * 4;
    float sums[TAPS + 1][4] = {};
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        int left = tile % across * WIDE, top = tile / across % down * HIGH, n = tile / (across * down);
        __syncthreads();
        load_pixels(seen, x, n, 2 * top - padding, 2 * left - padding, x_height, x_width);
        __syncthreads();
#pragma unroll 1
        for (int k = threadIdx.x / 4; k < HIGH * WIDE; k += THREADS / 4) {
            int row = k / WIDE, column = k % WIDE;
            bool inside = top + row < height && left + column < width;
            long long pixel = (static_cast<long long>(n) * height + top + row) * width + left + column;
            Gradient found = pooled_gradient(dz, winner, inside ? pixel : 0, o, channels, inside);
            float window[16];
            window_of(window, seen, row, column);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                sums[TAPS][j] += found.winner[j] == CUT ? 0 : found.value[j];
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    float g = found.winner[j] == phase ? found.value[j] : 0;
#pragma unroll
                    for (int tap = 0; tap < TAPS; tap++)
                        sums[tap][j] += g * window[(phase / 2 + tap / 3) * 4 + phase % 2 + tap % 3];
                }
            }
        }
    }
    // The 8 lanes of a warp with the same channels, then the warps, always in the same order.
#pragma unroll
    for (int k = 0; k < EACH; k++)
#pragma unroll
        for (int apart = 4; apart < 32; apart *= 2) sums[k / 4][k % 4] += __shfl_xor_sync(0xffffffffu, sums[k / 4][k % 4], apart);
    if (threadIdx.x % 32 < 4)
#pragma unroll
        for (int k = 0; k < EACH; k++) of_warps[(threadIdx.x / 32 * 4 + threadIdx.x % 4) * EACH + k] = sums[k / 4][k % 4];
    __syncthreads();
    for (int k = threadIdx.x; k < 4 * EACH; k += THREADS) {
        int lane = k / EACH, index = k % EACH, channel = blockIdx.y * GROUP + lane * 4 + index % 4, tap = index / 4;
        float sum = 0;
        for (int warp = 0; warp < THREADS / 32; warp++) sum += of_warps[(warp * 4 + lane) * EACH + index];
        if (channel < channels) parts[(static_cast<long long>(blockIdx.x) * (TAPS + 1) + tap) * channels + channel] = sum;
    }
}
