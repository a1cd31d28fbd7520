// The gradients of a 3 × 3 kernel and of the bias, on tensor cores (mma.sync), channels-last.
//
//   dw[u,v,c,o] = Σ_{n,i,j} x[n, i + u − p, j + v − p, c] · dz[n,i,j,o],     db[o] = Σ_{n,i,j} dz[n,i,j,o]
//
// dz is the upstream gradient, as it is or scattered from the pooled one by the winners. The sum over pixels is the long one.
// A block takes every gridDim.x-th tile of 8 × 16 pixels, accumulates 9 taps · IN · OUT values in registers over all of them,
// and writes partial sums of its own, which `sum_partials` adds in order. No two threads add to the same address, so the same
// inputs give the same bits.
//
// Each of 6 warps takes one row of taps and half of the rows of pixels. Double buffering as in tile_conv.cu.
//
// For each block and tile: 2 · 128 · 9 · IN · OUT FLOP for 180 · IN + 128 · OUT values; at IN = 32 that is 60 FLOP a byte. x
// is read once for each OUT output channels, with its halo; dz once for each IN input channels. Pixels of IN + 8 and of OUT + 8
// floats avoid bank conflicts: the 32 lanes of every fragment load access 32 banks.
#include "fragments.cuh"
#include "pooling.cuh"

constexpr int TAPS = 9, TILE_HEIGHT = 8, TILE_WIDTH = 16;
constexpr int OUT = 32, DZ_PIXEL = OUT + 8;  // output channels of a block; floats of a pixel, with padding
constexpr int WARPS = 6, THREADS = 32 * WARPS;
template <int IN> constexpr int STAGE = (TILE_HEIGHT + 2) * (TILE_WIDTH + 2) * (IN + 8) + TILE_HEIGHT * TILE_WIDTH * DZ_PIXEL;

// Start to copy IN channels of a tile with its halo, WIDTH (1 or 4) at a time; zeros outside the image.
template <int WIDTH, int IN>
__device__ __forceinline__ void load_image(float* stage, const float* x, const float* image, int height, int width,
                                           int channels, int top, int left, int c0) {
    constexpr int PIECES = IN / WIDTH;
#pragma unroll 1
    for (int k = threadIdx.x; k < (TILE_HEIGHT + 2) * (TILE_WIDTH + 2) * PIECES; k += THREADS) {
        int pixel = k / PIECES, c = k % PIECES * WIDTH;
        int row = top + pixel / (TILE_WIDTH + 2), column = left + pixel % (TILE_WIDTH + 2);
        bool inside = row >= 0 && row < height && column >= 0 && column < width && c0 + c < channels;
        const float* from = inside ? image + (row * width + column) * channels + c0 + c : x;
        copy_async<4 * WIDTH>(stage + pixel * (IN + 8) + c, from, inside);
    }
}

// IN: input channels of a block, 16 or 32. POOLED: dz is a pooled gradient with its winners.
template <int PRODUCTS, int IN, bool POOLED>
__global__ void __launch_bounds__(THREADS, IN == 16 && PRODUCTS == 1 ? 3 : 2)
tile_weight_gradient(const float* x, int height, int width, int channels, const float* dz, const unsigned char* winner,
                     int dz_height, int dz_width, int out_channels, int images, int padding, float* partials, bool with_bias) {
    constexpr int FRAGMENTS = IN / 16, X_PIXEL = IN + 8, X = (TILE_HEIGHT + 2) * (TILE_WIDTH + 2) * X_PIXEL;
    extern __shared__ __align__(16) float memory[];
    int in_blocks = (channels + IN - 1) / IN, c0 = blockIdx.y % in_blocks * IN, o0 = blockIdx.y / in_blocks * OUT;
    int conv_height = POOLED ? 2 * dz_height : dz_height, conv_width = POOLED ? 2 * dz_width : dz_width;
    int across = (conv_width + TILE_WIDTH - 1) / TILE_WIDTH, down = (conv_height + TILE_HEIGHT - 1) / TILE_HEIGHT;
    int tiles = images * across * down;
    int warp = threadIdx.x / 32, u = warp % 3, half = warp / 3, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    float db[4] = {};

    auto load = [&](int tile, float* stage) {
        int left = tile % across * TILE_WIDTH, top = tile / across % down * TILE_HEIGHT, n = tile / (across * down);
        const float* image = x + static_cast<long long>(n) * height * width * channels;
        int x_top = top - padding, x_left = left - padding;
        if (channels % 4 == 0) load_image<4, IN>(stage, x, image, height, width, channels, x_top, x_left, c0);
        else load_image<1, IN>(stage, x, image, height, width, channels, x_top, x_left, c0);
        commit_copies();
        // THREADS is a multiple of OUT / 4, so a thread always loads the same four channels and can accumulate their db.
        float* dz_stage = stage + X;
        if constexpr (POOLED) {
#pragma unroll 1
            for (int k = threadIdx.x; k < TILE_HEIGHT * TILE_WIDTH / 4 * (OUT / 4); k += THREADS) {
                int o = k % (OUT / 4) * 4, v = k / (OUT / 4) % (TILE_WIDTH / 2), u = k / (OUT / 4) / (TILE_WIDTH / 2);
                int i = top / 2 + u, j = left / 2 + v;
                bool inside = i < dz_height && j < dz_width;
                long long pixel = (static_cast<long long>(n) * dz_height + i) * dz_width + j;
                PooledGradient gradient = load_pooled_gradient(dz, winner, inside ? pixel : 0, o0 + o, out_channels, inside);
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    db[e] += gradient.winner[e] == CUT ? 0 : gradient.value[e];
                    gradient.value[e] = round_once<PRODUCTS>(gradient.value[e]);
                }
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    int offset = (2 * u + phase / 2) * TILE_WIDTH + 2 * v + phase % 2;
                    *reinterpret_cast<float4*>(dz_stage + offset * DZ_PIXEL + o) = gradient.scatter(phase);
                }
            }
        } else {
#pragma unroll 1
            for (int k = threadIdx.x; k < TILE_HEIGHT * TILE_WIDTH * (OUT / 4); k += THREADS) {
                int o = k % (OUT / 4) * 4, pixel = k / (OUT / 4), i = top + pixel / TILE_WIDTH, j = left + pixel % TILE_WIDTH;
                bool inside = i < dz_height && j < dz_width;
                const float* from = dz + ((static_cast<long long>(n) * dz_height + i) * dz_width + j) * out_channels + o0 + o;
                float value[4];
#pragma unroll
                for (int e = 0; e < 4; e++) value[e] = inside && o0 + o + e < out_channels ? from[e] : 0;
#pragma unroll
                for (int e = 0; e < 4; e++) {
                    db[e] += value[e];
                    value[e] = round_once<PRODUCTS>(value[e]);
                }
                *reinterpret_cast<float4*>(dz_stage + pixel * DZ_PIXEL + o) = make_float4(value[0], value[1], value[2], value[3]);
            }
        }
    };

    float sums[3][FRAGMENTS][OUT / 8][4] = {};
    int stage = 0;
    if (blockIdx.x < tiles) load(blockIdx.x, memory);
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, stage ^= 1) {
        if (tile + gridDim.x < tiles) {
            load(tile + gridDim.x, memory + (stage ^ 1) * STAGE<IN>);
            wait_for_copies<1>();
        } else wait_for_copies<0>();
        __syncthreads();
        const float* pixels = memory + stage * STAGE<IN>;
        const float* gradient = pixels + X;
#pragma unroll 1
        for (int row = half * (TILE_HEIGHT / 2); row < (half + 1) * (TILE_HEIGHT / 2); row++)
#pragma unroll 1
            for (int column = 0; column < TILE_WIDTH; column += 8) {
                Fragment<PRODUCTS, 2> b[OUT / 8];
#pragma unroll
                for (int k = 0; k < OUT / 8; k++) {
                    const float* from = gradient + (row * TILE_WIDTH + column + t) * DZ_PIXEL + 8 * k + g;
                    b[k].set_rounded(0, from[0]);
                    b[k].set_rounded(1, from[4 * DZ_PIXEL]);
                }
#pragma unroll
                for (int v = 0; v < 3; v++)
#pragma unroll
                    for (int f = 0; f < FRAGMENTS; f++) {
                        const float* from = pixels + ((row + u) * (TILE_WIDTH + 2) + column + v + t) * X_PIXEL + 16 * f + g;
                        Fragment<PRODUCTS, 4> a;
                        a.set(0, from[0]);
                        a.set(1, from[8]);
                        a.set(2, from[4 * X_PIXEL]);
                        a.set(3, from[4 * X_PIXEL + 8]);
#pragma unroll
                        for (int k = 0; k < OUT / 8; k++) multiply_add<PRODUCTS>(sums[v][f][k], a, b[k]);
                    }
            }
        __syncthreads();
    }

    // Epilogue: the warps of the second half of the rows pass their sums to those of the first; then all warps write.
    auto store_sums = [&](bool add) {
#pragma unroll
        for (int v = 0; v < 3; v++)
#pragma unroll
            for (int f = 0; f < FRAGMENTS; f++)
#pragma unroll
                for (int k = 0; k < OUT / 8; k++)
#pragma unroll
                    for (int e = 0; e < 4; e++) {
                        float& sum = memory[((3 * u + v) * IN + 16 * f + g + 8 * (e / 2)) * OUT + 8 * k + 2 * t + e % 2];
                        sum = add ? sum + sums[v][f][k][e] : sums[v][f][k][e];
                    }
    };
    if (half == 1) store_sums(false);
    __syncthreads();
    if (half == 0) store_sums(true);
    __syncthreads();
    long long size = static_cast<long long>(TAPS) * channels * out_channels;
    partials += blockIdx.x * (size + out_channels);
#pragma unroll 1
    for (int k = threadIdx.x; k < TAPS * IN * OUT; k += THREADS) {
        int o = o0 + k % OUT, c = c0 + k / OUT % IN, tap = k / OUT / IN;
        if (c < channels && o < out_channels)
            partials[(static_cast<long long>(tap) * channels + c) * out_channels + o] = memory[k];
    }
    if (!with_bias || c0 != 0) return;
    __syncthreads();
#pragma unroll
    for (int e = 0; e < 4; e++) memory[4 * threadIdx.x + e] = db[e];
    __syncthreads();
    if (threadIdx.x < OUT && o0 + threadIdx.x < out_channels) {
        float sum = 0;
        for (int k = threadIdx.x / 4; k < THREADS; k += OUT / 4) sum += memory[4 * k + threadIdx.x % 4];
        partials[size + o0 + threadIdx.x] = sum;
    }
}
