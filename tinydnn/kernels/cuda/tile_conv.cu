// 3 × 3 convolution of stride 1 as an implicit matrix product on tensor cores (mma.sync), channels-last.
//
// z[n,y,x,o] = Σ_{u,v,c} x[n, y + u − p, x + v − p, c] · w[u,v,c,o], in all of its uses:
//   a forward pass           x from a picture, z as it is, or pooled (bias, ReLU, maximum, one byte for who won)
//   the gradient of pixels   x from the upstream gradient, as it is or rebuilt from the pooled one and the byte
//
// A block makes 16 × 16 pixels of OUT channels. 8 input channels at a time, with a border of one pixel on each side, lie
// in shared memory, and are used by all nine taps: each input number is read from global memory 1.27 times for each
// group of OUT channels, and 9 · OUT times from shared memory. Two stages: the next 8 channels are copied (cp.async) while the
// present ones are multiplied. A warp makes 4 × 16 pixels (the four of each pooling window, of 16 windows) of 32 channels,
// so the four candidates of a window are in the same register of four accumulators, and pooling needs no exchange.
//
// With one product, weights and rebuilt gradients are rounded to TF32 once, on their way in; pixels, which are copied, as
// often as they are used.
//
// Per block and 8 channels: 2 · 256 · OUT · 72 FLOP for 18 · 18 · 8 + 72 · OUT numbers; at OUT = 64 that is 82 FLOP a byte from
// the second-level cache, where an H100 needs about 60 to keep its tensor cores busy with mma.sync. Global memory: x and z
// once each. Shared memory: rows of 12 and of OUT + 8 numbers, and even and odd columns apart, so that the 32 lanes of
// every fragment load meet 32 banks.
#include "fragments.cuh"
#include "tile_load.cuh"

// What one thread holds of a warp's 64 pixels and 8 · GROUPS channels: [place in the window][group of 8 channels][4].
template <int GROUPS> struct Sums {
    float of[4][GROUPS][4];
};

template <int PRODUCTS, bool ROUNDED>
__device__ __forceinline__ void pixels(Fragment<PRODUCTS, 4>& a, const float* x, int row, int column) {
    int t = threadIdx.x % 4, g = threadIdx.x % 32 / 4;
    const float* at = x + place(row, column + 2 * g) + t;
#pragma unroll
    for (int k = 0; k < 4; k++) {
        float number = at[k % 2 * (2 * EDGE * PIXEL) + k / 2 * 4];
        if constexpr (ROUNDED) a.set_rounded(k, number);
        else a.set(k, number);
    }
}

template <int PRODUCTS, int ROW>
__device__ __forceinline__ void weights(Fragment<PRODUCTS, 2>& b, const float* w, int tap, int o) {
    int t = threadIdx.x % 4, g = threadIdx.x % 32 / 4;
    const float* at = w + (tap * CHUNK + t) * ROW + o + g;
    b.set_rounded(0, at[0]);
    b.set_rounded(1, at[4 * ROW]);
}

// Multiply the 8 channels in shared memory with their weights. `row`: the first of the warp's four rows of pixels.
template <int PRODUCTS, bool ROUNDED, int GROUPS, int ROW>
__device__ __forceinline__ void accumulate(Sums<GROUPS>& sums, const float* x, const float* w, int row, int o) {
    if constexpr (PRODUCTS == 1) {
        // A row of pixels serves three taps and both columns of the windows: fewer loads than products.
#pragma unroll 1
        for (int u = 0; u < 3; u++) {
            Fragment<1, 2> b[3][GROUPS];
#pragma unroll
            for (int v = 0; v < 3; v++)
#pragma unroll
                for (int k = 0; k < GROUPS; k++) weights<1, ROW>(b[v][k], w, 3 * u + v, o + 8 * k);
#pragma unroll
            for (int dy = 0; dy < 2; dy++)
#pragma unroll
                for (int column = 0; column < 4; column++) {
                    Fragment<1, 4> a;
                    pixels<1, ROUNDED>(a, x, row + dy + u, column);
#pragma unroll
                    for (int dx = 0; dx < 2; dx++)
#pragma unroll
                        for (int v = 0; v < 3; v++)
                            if (dx + v == column)
#pragma unroll
                                for (int k = 0; k < GROUPS; k++) multiply_add<1>(sums.of[2 * dy + dx][k], a, b[v][k]);
                }
        }
    } else {
        // Three products for each pair of numbers: loads cost less than the registers to keep them.
#pragma unroll 1
        for (int u = 0; u < 3; u++)
#pragma unroll 1
            for (int v = 0; v < 3; v++) {
                Fragment<3, 2> b[GROUPS];
#pragma unroll
                for (int k = 0; k < GROUPS; k++) weights<3, ROW>(b[k], w, 3 * u + v, o + 8 * k);
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    Fragment<3, 4> a;
                    pixels<3, ROUNDED>(a, x, row + phase / 2 + u, phase % 2 + v);
#pragma unroll
                    for (int k = 0; k < GROUPS; k++) multiply_add<3>(sums.of[phase][k], a, b[k]);
                }
            }
    }
}

// Two neighbouring channels of a pixel.
template <class T, class Two> __device__ __forceinline__ void store(T* z, long long pixel, int o, int channels, T a, T b) {
    T* at = z + pixel * channels + o;
    if (channels % 2 == 0 && o < channels) *reinterpret_cast<Two*>(at) = Two{a, b};
    else {
        if (o < channels) at[0] = a;
        if (o + 1 < channels) at[1] = b;
    }
}

// POOLED_IN: x is a pooled gradient with its winners. POOLED_OUT: z is pooled, and `winner` is written too.
// height, width: of z. channels: of z. padding: of this convolution. w: (chunks, 9, 8, all_channels).
template <int PRODUCTS, int OUT, bool POOLED_IN, bool POOLED_OUT>
__global__ void __launch_bounds__(OUT > 32 ? 256 : 128, OUT > 32 ? 2 : (PRODUCTS == 1 ? 4 : 3))
tile_conv(const float* x, const unsigned char* x_winner, int x_height, int x_width, int x_channels, const float* w,
          int all_channels, const float* bias, float* z, unsigned char* winner, int height, int width, int channels,
          int padding) {
    constexpr int GROUPS = OUT < 32 ? OUT / 8 : 4, ROW = OUT + 8, X = EDGE * EDGE * PIXEL, STAGE = X + TAPS * CHUNK * ROW;
    extern __shared__ __align__(16) float memory[];
    Picture picture{x, x_winner, x_height, x_width, x_channels};
    int made_height = POOLED_OUT ? 2 * height : height, made_width = POOLED_OUT ? 2 * width : width;
    int across = (made_width + TILE - 1) / TILE, down = (made_height + TILE - 1) / TILE;
    int left = blockIdx.x % across * TILE, top = blockIdx.x / across % down * TILE, n = blockIdx.x / (across * down);
    int first = blockIdx.y * OUT, chunks = (x_channels + CHUNK - 1) / CHUNK;
    int warp = threadIdx.x / 32, row = warp % 4 * 4, o = warp / 4 * 32;

    auto load = [&](int chunk) {
        float* stage = memory + chunk % 2 * STAGE;
        if constexpr (POOLED_IN) load_pooled<PRODUCTS>(stage, picture, n, top - padding, left - padding, chunk * CHUNK);
        else if (x_channels % 4 == 0) load_picture<4>(stage, picture, n, top - padding, left - padding, chunk * CHUNK);
        else load_picture<1>(stage, picture, n, top - padding, left - padding, chunk * CHUNK);
        load_weights<OUT>(stage + X, w, chunk, first, all_channels);
        copies_end();
    };

    Sums<GROUPS> sums = {};
    load(0);
    for (int chunk = 0; chunk < chunks; chunk++) {
        if (chunk + 1 < chunks) {
            load(chunk + 1);
            copies_wait<1>();
        } else copies_wait<0>();
        __syncthreads();
        const float* stage = memory + chunk % 2 * STAGE;
        accumulate<PRODUCTS, POOLED_IN, GROUPS, ROW>(sums, stage, stage + X, row, o);
        __syncthreads();
    }

    int g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
#pragma unroll
    for (int k = 0; k < GROUPS; k++) {
        int channel = first + o + 8 * k + 2 * t;
        float added[2] = {0, 0};
        if (bias != nullptr) {
            if (channel < channels) added[0] = bias[channel];
            if (channel + 1 < channels) added[1] = bias[channel + 1];
        }
#pragma unroll
        for (int half = 0; half < 2; half++) {
            int window_y = (top + row) / 2 + half, window_x = left / 2 + g;
            if constexpr (POOLED_OUT) {
                if (window_y >= height || window_x >= width) continue;
                int who[2];
                float best[2];
#pragma unroll
                for (int j = 0; j < 2; j++)
                    best[j] = pooled(sums.of[0][k][2 * half + j], sums.of[1][k][2 * half + j], sums.of[2][k][2 * half + j],
                                     sums.of[3][k][2 * half + j], added[j], who[j]);
                long long pixel = (static_cast<long long>(n) * height + window_y) * width + window_x;
                store<float, float2>(z, pixel, channel, channels, best[0], best[1]);
                store<unsigned char, uchar2>(winner, pixel, channel, channels, who[0], who[1]);
            } else {
#pragma unroll
                for (int phase = 0; phase < 4; phase++) {
                    int y = 2 * window_y + phase / 2, at = 2 * window_x + phase % 2;
                    if (y >= height || at >= width) continue;
                    long long pixel = (static_cast<long long>(n) * height + y) * width + at;
                    store<float, float2>(z, pixel, channel, channels, sums.of[phase][k][2 * half] + added[0],
                                         sums.of[phase][k][2 * half + 1] + added[1]);
                }
            }
        }
    }
}

// w (O, C, 3, 3) as the rows that `tile_conv` reads: (chunks of 8 input channels, 9, 8, all), zeros where there is none.
// `turned`: for the gradient of pixels, which convolves with the kernel turned round, from O to C channels.
template <int PRODUCTS>
__global__ void pack_weights(const float* w, float* packed, int out_channels, int channels, int all, int chunks, bool turned) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= chunks * TAPS * CHUNK * all) return;
    int to = k % all, from = k / all / CHUNK / TAPS * CHUNK + k / all % CHUNK, tap = k / all / CHUNK % TAPS;
    int o = turned ? from : to, c = turned ? to : from;
    if (turned) tap = TAPS - 1 - tap;
    packed[k] = o < out_channels && c < channels ? rounded<PRODUCTS>(w[(o * channels + c) * TAPS + tap]) : 0;
}
