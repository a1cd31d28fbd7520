// 3 × 3 convolution of stride 1 as an implicit matrix product on tensor cores (mma.sync), channels-last.
//
//   z[n,i,j,o] = Σ_{u,v,c} x[n, i + u − p, j + v − p, c] · w[u,v,c,o]
//
// It serves two purposes:
//   forward                     x is an image; z is stored as it is, or pooled (bias, ReLU, maximum, one byte for the winner)
//   gradient of the input       x is the upstream gradient, as it is or scattered from the pooled one by the winners
//
// A block computes a tile of 16 × 16 pixels of OUT channels. A stage in shared memory holds 8 input channels of the tile with
// a halo of one pixel, for all nine taps: each input element is read 1.27 times from global memory for each group of OUT
// channels, and 9 · OUT times from shared memory. Double buffering: cp.async copies the next stage while the current one is
// multiplied. A warp computes 4 × 16 pixels (16 pooling windows) of 32 channels. The four pixels of a window are in the
// same register of four accumulators, so pooling needs no exchange between threads.
//
// With one product, weights and scattered gradients are rounded to TF32 once, when they are stored in shared memory. Pixels
// are copied asynchronously, so they are rounded at each use.
//
// For each block and stage: 2 · 256 · OUT · 72 FLOP for 18 · 18 · 8 + 72 · OUT values. At OUT = 64 that is 82 FLOP a byte
// from the L2 cache; an H100 needs about 60 to keep its tensor cores busy with mma.sync. Global memory: x and z once each.
// Shared memory has no bank conflicts: with rows of 12 and of OUT + 8 floats, and even columns apart from odd ones, the 32
// lanes of every fragment load access 32 banks.
#include "fragments.cuh"
#include "threads.cuh"
#include "tile_load.cuh"

template <int OUT> constexpr int BLOCK = 128 * ((OUT + 31) / 32);  // threads: four warps for each 32 channels
template <int OUT> constexpr int STAGE = EDGE * EDGE * PIXEL + TAPS * CHUNK * (OUT + 8);  // floats

// A thread's accumulators of 64 pixels and 8 · GROUPS channels: [pixel of the window][group of 8 channels][register].
template <int GROUPS> using Accumulators = float[4][GROUPS][4];

template <int PRODUCTS, bool ROUNDED>
__device__ __forceinline__ void load_fragment_a(Fragment<PRODUCTS, 4>& a, const float* x, int row, int column) {
    int t = threadIdx.x % 4, g = threadIdx.x % 32 / 4;
    const float* from = x + pixel_offset(row, column + 2 * g) + t;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        float value = from[k % 2 * (2 * EDGE * PIXEL) + k / 2 * 4];
        if constexpr (ROUNDED) a.set_rounded(k, value);
        else a.set(k, value);
    }
}

template <int PRODUCTS, int ROW>
__device__ __forceinline__ void load_fragment_b(Fragment<PRODUCTS, 2>& b, const float* w, int tap, int o) {
    int t = threadIdx.x % 4, g = threadIdx.x % 32 / 4;
    const float* from = w + (tap * CHUNK + t) * ROW + o + g;
    b.set_rounded(0, from[0]);
    b.set_rounded(1, from[4 * ROW]);
}

// Multiply the stage's pixels x and weights w. `row`: the first of the warp's four rows of pixels.
template <int PRODUCTS, bool ROUNDED, int GROUPS, int ROW>
__device__ __forceinline__ void accumulate(Accumulators<GROUPS>& sums, const float* x, const float* w, int row, int o) {
    if constexpr (PRODUCTS == 1) {
        // A fragment of pixels serves up to two taps and both columns of the windows: fewer loads than products.
#pragma unroll 1
        for (int u = 0; u < 3; u++) {
            Fragment<1, 2> b[3][GROUPS];
#pragma unroll
            for (int v = 0; v < 3; v++)
#pragma unroll
                for (int k = 0; k < GROUPS; k++) load_fragment_b<1, ROW>(b[v][k], w, 3 * u + v, o + 8 * k);
#pragma unroll
            for (int window_row = 0; window_row < 2; window_row++)
#pragma unroll
                for (int column = 0; column < 4; column++) {
                    Fragment<1, 4> a;
                    load_fragment_a<1, ROUNDED>(a, x, row + window_row + u, column);
#pragma unroll
                    for (int window_column = 0; window_column < 2; window_column++)
#pragma unroll
                        for (int v = 0; v < 3; v++)
                            if (window_column + v == column)
#pragma unroll
                                for (int k = 0; k < GROUPS; k++)
                                    multiply_add<1>(sums[2 * window_row + window_column][k], a, b[v][k]);
                }
        }
    } else {
        // Three products for each pair of elements: reloading fragments costs less than the registers to keep them.
#pragma unroll 1
        for (int u = 0; u < 3; u++)
#pragma unroll 1
            for (int v = 0; v < 3; v++) {
                Fragment<3, 2> b[GROUPS];
#pragma unroll
                for (int k = 0; k < GROUPS; k++) load_fragment_b<3, ROW>(b[k], w, 3 * u + v, o + 8 * k);
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    Fragment<3, 4> a;
                    load_fragment_a<3, ROUNDED>(a, x, row + phase / 2 + u, phase % 2 + v);
#pragma unroll
                    for (int k = 0; k < GROUPS; k++) multiply_add<3>(sums[phase][k], a, b[k]);
                }
            }
    }
}

// Store two neighbouring channels of a pixel.
template <class T, class Two> __device__ __forceinline__ void store(T* z, long long pixel, int o, int channels, T a, T b) {
    z += pixel * channels + o;
    if (channels % 2 == 0 && o < channels) *reinterpret_cast<Two*>(z) = Two{a, b};
    else {
        if (o < channels) z[0] = a;
        if (o + 1 < channels) z[1] = b;
    }
}

// POOLED_IN: x is a pooled gradient with its winners. POOLED_OUT: z is pooled, and `winner` is written too.
// height, width, channels: of z. padding: of this convolution. w: (chunks, TAPS, CHUNK, all_channels), see `pack_weights`.
template <int PRODUCTS, int OUT, bool POOLED_IN, bool POOLED_OUT>
__global__ void __launch_bounds__(BLOCK<OUT>, OUT > 32 ? 2 : (PRODUCTS == 1 ? 4 : 3))
tile_conv(const float* x, const unsigned char* x_winner, int x_height, int x_width, int x_channels, const float* w,
          int all_channels, const float* bias, float* z, unsigned char* winner, int height, int width, int channels,
          int padding) {
    constexpr int GROUPS = OUT < 32 ? OUT / 8 : 4, ROW = OUT + 8, X = EDGE * EDGE * PIXEL;
    extern __shared__ __align__(16) float memory[];
    Images images{x, x_winner, x_height, x_width, x_channels};
    int conv_height = POOLED_OUT ? 2 * height : height, conv_width = POOLED_OUT ? 2 * width : width;
    int across = (conv_width + TILE - 1) / TILE, down = (conv_height + TILE - 1) / TILE;
    int left = blockIdx.x % across * TILE, top = blockIdx.x / across % down * TILE, n = blockIdx.x / (across * down);
    int first = blockIdx.y * OUT, chunks = (x_channels + CHUNK - 1) / CHUNK;
    int warp = threadIdx.x / 32, row = warp % 4 * 4, o = warp / 4 * 32;

    auto load = [&](int chunk) {
        float* stage = memory + chunk % 2 * STAGE<OUT>;
        if constexpr (POOLED_IN) load_pooled<PRODUCTS>(stage, images, n, top - padding, left - padding, chunk * CHUNK);
        else if (x_channels % 4 == 0) load_image<4>(stage, images, n, top - padding, left - padding, chunk * CHUNK);
        else load_image<1>(stage, images, n, top - padding, left - padding, chunk * CHUNK);
        load_weights<OUT>(stage + X, w, chunk, first, all_channels);
        commit_copies();
    };

    Accumulators<GROUPS> sums = {};
    load(0);
    for (int chunk = 0; chunk < chunks; chunk++) {
        if (chunk + 1 < chunks) {
            load(chunk + 1);
            wait_for_copies<1>();
        } else wait_for_copies<0>();
        __syncthreads();
        const float* stage = memory + chunk % 2 * STAGE<OUT>;
        accumulate<PRODUCTS, POOLED_IN, GROUPS, ROW>(sums, stage, stage + X, row, o);
        __syncthreads();
    }

    // Epilogue: bias, pooling and the store. A thread holds two neighbouring channels of each group, in two windows.
    int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < GROUPS; k++) {
        int channel = first + o + 8 * k + 2 * t;
        float b[2] = {0, 0};
        if (bias != nullptr) {
            if (channel < channels) b[0] = bias[channel];
            if (channel + 1 < channels) b[1] = bias[channel + 1];
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int i = (top + row) / 2 + half, j = left / 2 + g;  // of the window
            if constexpr (POOLED_OUT) {
                if (i >= height || j >= width) continue;
                int argmax[2];
                float best[2];
#pragma unroll
                for (int e = 0; e < 2; e++)
                    best[e] = pool(sums[0][k][2 * half + e], sums[1][k][2 * half + e], sums[2][k][2 * half + e],
                                   sums[3][k][2 * half + e], b[e], argmax[e]);
                long long pixel = (static_cast<long long>(n) * height + i) * width + j;
                store<float, float2>(z, pixel, channel, channels, best[0], best[1]);
                store<unsigned char, uchar2>(winner, pixel, channel, channels, argmax[0], argmax[1]);
            } else {
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    int z_row = 2 * i + phase / 2, z_column = 2 * j + phase % 2;
                    if (z_row >= height || z_column >= width) continue;
                    long long pixel = (static_cast<long long>(n) * height + z_row) * width + z_column;
                    store<float, float2>(z, pixel, channel, channels, sums[phase][k][2 * half] + b[0],
                                         sums[phase][k][2 * half + 1] + b[1]);
                }
            }
        }
    }
}

// Pack w (O, C, 3, 3) as `tile_conv` reads it, (chunks, TAPS, CHUNK, columns), padded with zeros: for the forward pass, and the
// flipped kernel, from O to C channels, for the gradient of the input.
template <int PRODUCTS>
__global__ void pack_weights(const float* w, float* forward, float* flipped, int out_channels, int channels, int columns,
                             int chunks, int flipped_columns, int flipped_chunks) {
    int k = blockIdx.x * blockDim.x + threadIdx.x, size = chunks * TAPS * CHUNK * columns;
    bool flip = k >= size;
    float* packed = flip ? flipped : forward;
    if (flip) k -= size, columns = flipped_columns, chunks = flipped_chunks;
    if (k >= chunks * TAPS * CHUNK * columns) return;
    int to = k % columns, tap = k / columns / CHUNK % TAPS;
    int from = k / columns / CHUNK / TAPS * CHUNK + k / columns % CHUNK;
    int o = flip ? from : to, c = flip ? to : from;
    if (flip) tap = TAPS - 1 - tap;
    packed[k] = o < out_channels && c < channels ? round_once<PRODUCTS>(w[(o * channels + c) * TAPS + tap]) : 0;
}
