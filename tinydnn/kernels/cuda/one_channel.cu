// The block for one input channel, as in the first layer of the baseline network: 3 × 3 convolution of stride 1, ReLU and 2 × 2
// max pooling in float32 on CUDA cores; forward, and the gradients of kernel and bias. Channels-last.
//
// Memory is the bound, not arithmetic. For a batch of 128 images of 256 × 256 with 16 output channels, 33.6 MB in, 134 MB of
// pooled values and 34 MB of winners out are 202 MB, 60 µs at 3.35 TB/s; 2.4 GFLOP are 36 µs at 67 TFLOP/s. Backward moves the
// same bytes. A thread computes (or reads) 4 channels of a pooled pixel, 16 bytes; 4 threads access 64 contiguous bytes. Its
// 36 weights, or sums, stay in registers over all its pixels. The 4 × 4 pixels under a window come from shared memory.
#include "pooling.cuh"

constexpr int TAPS = 9, THREADS = 256;
constexpr int TILE_HEIGHT = 8, TILE_WIDTH = 32, GROUP = 16;  // pooled pixels and output channels of a block
constexpr int ROWS = 2 * TILE_HEIGHT + 2, COLUMNS = 2 * TILE_WIDTH + 2;

// Load the pixels under a tile of windows; zeros outside the image.
__device__ __forceinline__ void load_pixels(float* pixels, const float* x, int n, int top, int left, int height, int width) {
    for (int k = threadIdx.x; k < ROWS * COLUMNS; k += THREADS) {
        int row = top + k / COLUMNS, column = left + k % COLUMNS;
        bool inside = row >= 0 && row < height && column >= 0 && column < width;
        pixels[k] = inside ? x[(static_cast<long long>(n) * height + row) * width + column] : 0;
    }
}

__device__ __forceinline__ void load_window(float (&window)[16], const float* pixels, int row, int column) {
#pragma unroll
    for (int u = 0; u < 4; u++)
#pragma unroll
        for (int v = 0; v < 4; v += 2) {
            float2 two = *reinterpret_cast<const float2*>(pixels + (2 * row + u) * COLUMNS + 2 * column + v);
            window[4 * u + v] = two.x, window[4 * u + v + 1] = two.y;
        }
}

__global__ void __launch_bounds__(THREADS, 3)
one_channel_forward(const float* x, int x_height, int x_width, const float* w, const float* bias, float* z, unsigned char* winner,
                    int height, int width, int channels, int padding) {
    __shared__ __align__(16) float pixels[ROWS * COLUMNS];
    int across = (width + TILE_WIDTH - 1) / TILE_WIDTH, down = (height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    int left = blockIdx.x % across * TILE_WIDTH, top = blockIdx.x / across % down * TILE_HEIGHT;
    int n = blockIdx.x / (across * down);
    int o = blockIdx.y * GROUP + threadIdx.x % 4 * 4;
    load_pixels(pixels, x, n, 2 * top - padding, 2 * left - padding, x_height, x_width);
    float weights[TAPS][4], b[4];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        b[j] = bias != nullptr && o + j < channels ? bias[o + j] : 0;
#pragma unroll
        for (int tap = 0; tap < TAPS; tap++) weights[tap][j] = o + j < channels ? w[(o + j) * TAPS + tap] : 0;
    }
    __syncthreads();
#pragma unroll 1
    for (int k = threadIdx.x / 4; k < TILE_HEIGHT * TILE_WIDTH; k += THREADS / 4) {
        int row = k / TILE_WIDTH, column = k % TILE_WIDTH;
        if (top + row >= height || left + column >= width) continue;
        float window[16];
        load_window(window, pixels, row, column);
        float best[4];
        unsigned char winners[4];
#pragma unroll
        for (int j = 0; j < 4; j++) {
            float sums[4] = {};
#pragma unroll
            for (int phase = 0; phase < 4; phase++)
#pragma unroll
                for (int tap = 0; tap < TAPS; tap++)
                    sums[phase] += weights[tap][j] * window[(phase / 2 + tap / 3) * 4 + phase % 2 + tap % 3];
            int argmax;
            best[j] = pool(sums[0], sums[1], sums[2], sums[3], b[j], argmax);
            winners[j] = argmax;
        }
        long long offset = ((static_cast<long long>(n) * height + top + row) * width + left + column) * channels + o;
        if (channels % 4 == 0 && o < channels) {
            *reinterpret_cast<float4*>(z + offset) = make_float4(best[0], best[1], best[2], best[3]);
            *reinterpret_cast<uchar4*>(winner + offset) = make_uchar4(winners[0], winners[1], winners[2], winners[3]);
        } else
#pragma unroll
            for (int j = 0; j < 4; j++)
                if (o + j < channels) z[offset + j] = best[j], winner[offset + j] = winners[j];
    }
}

// Partial sums of a block over every gridDim.x-th tile: dw (9, O), then db (O,). `sum_partials` adds them.
__global__ void __launch_bounds__(THREADS, 2)
one_channel_weight_gradient(const float* x, int x_height, int x_width, const float* dz, const unsigned char* winner, int height,
                            int width, int channels, int images, int padding, float* partials) {
    __shared__ __align__(16) float pixels[ROWS * COLUMNS];
    constexpr int SUMS = 4 * (TAPS + 1);  // of a thread
    __shared__ float warp_sums[THREADS / 32 * 4 * SUMS];
    int across = (width + TILE_WIDTH - 1) / TILE_WIDTH, down = (height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    int tiles = images * across * down;
    int o = blockIdx.y * GROUP + threadIdx.x % 4 * 4;
    float sums[TAPS + 1][4] = {};
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x) {
        int left = tile % across * TILE_WIDTH, top = tile / across % down * TILE_HEIGHT, n = tile / (across * down);
        __syncthreads();
        load_pixels(pixels, x, n, 2 * top - padding, 2 * left - padding, x_height, x_width);
        __syncthreads();
#pragma unroll 1
        for (int k = threadIdx.x / 4; k < TILE_HEIGHT * TILE_WIDTH; k += THREADS / 4) {
            int row = k / TILE_WIDTH, column = k % TILE_WIDTH;
            bool inside = top + row < height && left + column < width;
            long long pixel = (static_cast<long long>(n) * height + top + row) * width + left + column;
            PooledGradient gradient = load_pooled_gradient(dz, winner, inside ? pixel : 0, o, channels, inside);
            float window[16];
            load_window(window, pixels, row, column);
#pragma unroll
            for (int j = 0; j < 4; j++) {
                sums[TAPS][j] += gradient.winner[j] == CUT ? 0 : gradient.value[j];
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    float g = gradient.winner[j] == phase ? gradient.value[j] : 0;
#pragma unroll
                    for (int tap = 0; tap < TAPS; tap++)
                        sums[tap][j] += g * window[(phase / 2 + tap / 3) * 4 + phase % 2 + tap % 3];
                }
            }
        }
    }
    // Epilogue: add the 8 lanes of a warp with the same channels, then the warps, in a fixed order.
#pragma unroll
    for (int k = 0; k < SUMS; k++)
#pragma unroll
        for (int offset = 4; offset < 32; offset *= 2)
            sums[k / 4][k % 4] += __shfl_xor_sync(0xffffffffu, sums[k / 4][k % 4], offset);
    if (threadIdx.x % 32 < 4)
#pragma unroll
        for (int k = 0; k < SUMS; k++) warp_sums[(threadIdx.x / 32 * 4 + threadIdx.x % 4) * SUMS + k] = sums[k / 4][k % 4];
    __syncthreads();
    for (int k = threadIdx.x; k < 4 * SUMS; k += THREADS) {
        int lane = k / SUMS, index = k % SUMS, channel = blockIdx.y * GROUP + lane * 4 + index % 4, tap = index / 4;
        float sum = 0;
        for (int warp = 0; warp < THREADS / 32; warp++) sum += warp_sums[(warp * 4 + lane) * SUMS + index];
        if (channel < channels) partials[(static_cast<long long>(blockIdx.x) * (TAPS + 1) + tap) * channels + channel] = sum;
    }
}
