// The gradient of a 3 × 3 kernel and of the bias, on tensor cores (mma.sync), channels-last.
//
//   dw[u,v,c,o] = Σ_{n,y,x} x[n, y + u − p, x + v − p, c] · dz[n,y,x,o],     db[o] = Σ_{n,y,x} dz[n,y,x,o]
//
// with dz as it is, or rebuilt from the pooled gradient and the byte that says who won. The sum over pixels is the long
// one: a block takes every `parts`-th tile of 8 × 16 pixels, keeps its sums of 9 taps · 16·ROWS · 32 numbers in registers
// until the end, and writes them to a part of their own; `sum_parts` adds the parts in their order. So no two threads add to
// one place, and the same inputs give the same bits.
//
// Of 6 warps each takes one row of taps and half of the rows of pixels. Two stages, as in tile_conv.cu.
//
// Per block and tile: 2 · 128 · 9 · 16·ROWS · 32 FLOP for 180 · 16·ROWS + 128 · 32 numbers: at ROWS = 2 that is 60 FLOP a
// byte. x is read once for each 32 output channels, with a border; dz once for each 16·ROWS input channels. Pixels of
// 16·ROWS + 8 and of 40 numbers: the 32 lanes of every fragment load meet 32 banks.
#include "fragments.cuh"
#include "pooling.cuh"

constexpr int HIGH = 8, WIDE = 16, TAPS = 9, OUT = 32, DZ_PIXEL = OUT + 8, WARPS = 6, THREADS = 32 * WARPS;

// Begin to copy IN channels of 10 × 18 pixels, WIDTH (1 or 4) at once; zeros outside the picture.
template <int WIDTH, int IN>
__device__ __forceinline__ void load_picture(float* store, const float* x, const float* picture, int height, int width,
                                             int channels, int top, int left, int c0) {
    constexpr int PIECES = IN / WIDTH;
#pragma unroll 1
    for (int k = threadIdx.x; k < (HIGH + 2) * (WIDE + 2) * PIECES; k += THREADS) {
        int pixel = k / PIECES, c = k % PIECES * WIDTH, y = top + pixel / (WIDE + 2), at = left + pixel % (WIDE + 2);
        bool inside = y >= 0 && y < height && at >= 0 && at < width && c0 + c < channels;
        const float* from = inside ? picture + (y * width + at) * channels + c0 + c : x;
        copy_async<4 * WIDTH>(store + pixel * (IN + 8) + c, from, inside);
    }
}

template <int PRODUCTS, int ROWS, bool POOLED>
__global__ void __launch_bounds__(THREADS, ROWS == 1 && PRODUCTS == 1 ? 3 : 2)
tile_weight_gradient(const float* x, int height, int width, int channels, const float* dz, const unsigned char* winner,
                     int dz_height, int dz_width, int out_channels, int pictures, int padding, float* parts, bool with_bias) {
    constexpr int IN = 16 * ROWS, X_PIXEL = IN + 8, X = (HIGH + 2) * (WIDE + 2) * X_PIXEL, STAGE = X + HIGH * WIDE * DZ_PIXEL;
    extern __shared__ __align__(16) float memory[];
    int in_blocks = (channels + IN - 1) / IN, c0 = blockIdx.y % in_blocks * IN, o0 = blockIdx.y / in_blocks * OUT;
    int made_height = POOLED ? 2 * dz_height : dz_height, made_width = POOLED ? 2 * dz_width : dz_width;
    int across = (made_width + WIDE - 1) / WIDE, down = (made_height + HIGH - 1) / HIGH, tiles = pictures * across * down;
    int warp = threadIdx.x / 32, u = warp % 3, half = warp / 3, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    float db[4] = {};

    auto load = [&](int tile, float* stage) {
        int left = tile % across * WIDE, top = tile / across % down * HIGH, n = tile / (across * down);
        const float* picture = x + static_cast<long long>(n) * height * width * channels;
        int y0 = top - padding, x0 = left - padding;
        if (channels % 4 == 0) load_picture<4, IN>(stage, x, picture, height, width, channels, y0, x0, c0);
        else load_picture<1, IN>(stage, x, picture, height, width, channels, y0, x0, c0);
        copies_end();
        // THREADS is a multiple of the 8 groups of four channels, so a thread always meets the same group: db stays its own.
        float* store = stage + X;
        if constexpr (POOLED) {
#pragma unroll 1
            for (int k = threadIdx.x; k < HIGH * WIDE / 4 * (OUT / 4); k += THREADS) {
                int o = k % (OUT / 4) * 4, b = k / (OUT / 4) % (WIDE / 2), a = k / (OUT / 4) / (WIDE / 2);
                int y = top / 2 + a, at = left / 2 + b;
                bool inside = y < dz_height && at < dz_width;
                long long pixel = (static_cast<long long>(n) * dz_height + y) * dz_width + at;
                Gradient found = pooled_gradient(dz, winner, inside ? pixel : 0, o0 + o, out_channels, inside);
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    db[j] += found.winner[j] == CUT ? 0 : found.value[j];
                    found.value[j] = rounded<PRODUCTS>(found.value[j]);
                }
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    float4 four;
                    four.x = found.winner[0] == phase ? found.value[0] : 0;
                    four.y = found.winner[1] == phase ? found.value[1] : 0;
                    four.z = found.winner[2] == phase ? found.value[2] : 0;
                    four.w = found.winner[3] == phase ? found.value[3] : 0;
                    int place = (2 * a + phase / 2) * WIDE + 2 * b + phase % 2;
                    *reinterpret_cast<float4*>(store + place * DZ_PIXEL + o) = four;
                }
            }
        } else {
#pragma unroll 1
            for (int k = threadIdx.x; k < HIGH * WIDE * (OUT / 4); k += THREADS) {
                int o = k % (OUT / 4) * 4, pixel = k / (OUT / 4), y = top + pixel / WIDE, at = left + pixel % WIDE;
                bool inside = y < dz_height && at < dz_width;
                const float* from = dz + ((static_cast<long long>(n) * dz_height + y) * dz_width + at) * out_channels + o0 + o;
                float four[4];
#pragma unroll
                for (int j = 0; j < 4; j++) four[j] = inside && o0 + o + j < out_channels ? from[j] : 0;
#pragma unroll
                for (int j = 0; j < 4; j++) {
                    db[j] += four[j];
                    four[j] = rounded<PRODUCTS>(four[j]);
                }
                *reinterpret_cast<float4*>(store + pixel * DZ_PIXEL + o) = make_float4(four[0], four[1], four[2], four[3]);
            }
        }
    };

    float sums[3][ROWS][OUT / 8][4] = {};
    int stage = 0;
    if (blockIdx.x < tiles) load(blockIdx.x, memory);
    for (int tile = blockIdx.x; tile < tiles; tile += gridDim.x, stage ^= 1) {
        if (tile + gridDim.x < tiles) {
            load(tile + gridDim.x, memory + (stage ^ 1) * STAGE);
            copies_wait<1>();
        } else copies_wait<0>();
        __syncthreads();
        const float* pixels = memory + stage * STAGE;
        const float* gradient = pixels + X;
#pragma unroll 1
        for (int row = half * (HIGH / 2); row < (half + 1) * (HIGH / 2); row++)
#pragma unroll 1
            for (int column = 0; column < WIDE; column += 8) {
                Fragment<PRODUCTS, 2> b[OUT / 8];
#pragma unroll
                for (int k = 0; k < OUT / 8; k++) {
                    const float* at = gradient + (row * WIDE + column + t) * DZ_PIXEL + 8 * k + g;
                    b[k].set_rounded(0, at[0]);
                    b[k].set_rounded(1, at[4 * DZ_PIXEL]);
                }
#pragma unroll
                for (int v = 0; v < 3; v++)
#pragma unroll
                    for (int r = 0; r < ROWS; r++) {
                        const float* at = pixels + ((row + u) * (WIDE + 2) + column + v + t) * X_PIXEL + 16 * r + g;
                        Fragment<PRODUCTS, 4> a;
                        a.set(0, at[0]);
                        a.set(1, at[8]);
                        a.set(2, at[4 * X_PIXEL]);
                        a.set(3, at[4 * X_PIXEL + 8]);
#pragma unroll
                        for (int k = 0; k < OUT / 8; k++) multiply_add<PRODUCTS>(sums[v][r][k], a, b[k]);
                    }
            }
        __syncthreads();
    }

    // The warps of the second half of the rows hand their sums to those of the first; then all write.
    auto hand_over = [&](bool add) {
#pragma unroll
        for (int v = 0; v < 3; v++)
#pragma unroll
            for (int r = 0; r < ROWS; r++)
#pragma unroll
                for (int k = 0; k < OUT / 8; k++)
#pragma unroll
                    for (int j = 0; j < 4; j++) {
                        float& place = memory[((3 * u + v) * IN + 16 * r + g + 8 * (j / 2)) * OUT + 8 * k + 2 * t + j % 2];
                        place = add ? place + sums[v][r][k][j] : sums[v][r][k][j];
                    }
    };
    if (half == 1) hand_over(false);
    __syncthreads();
    if (half == 0) hand_over(true);
    __syncthreads();
    long long size = static_cast<long long>(TAPS) * channels * out_channels;
    float* part = parts + blockIdx.x * (size + out_channels);
#pragma unroll 1
    for (int k = threadIdx.x; k < TAPS * IN * OUT; k += THREADS) {
        int o = o0 + k % OUT, c = c0 + k / OUT % IN, tap = k / OUT / IN;
        if (c < channels && o < out_channels) part[(static_cast<long long>(tap) * channels + c) * out_channels + o] = memory[k];
    }
    if (!with_bias || c0 != 0) return;
    __syncthreads();
#pragma unroll
    for (int j = 0; j < 4; j++) memory[4 * threadIdx.x + j] = db[j];
    __syncthreads();
    if (threadIdx.x < OUT && o0 + threadIdx.x < out_channels) {
        float sum = 0;
        for (int k = threadIdx.x / 4; k < THREADS; k += OUT / 4) sum += memory[4 * k + threadIdx.x % 4];
        part[size + o0 + threadIdx.x] = sum;
    }
}
