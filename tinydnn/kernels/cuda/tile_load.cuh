// Load a tile of pixels with its halo, and the weights for it, into shared memory, for tile_conv.cu.
#pragma once
#include "fragments.cuh"
#include "pooling.cuh"

constexpr int TAPS = 9;
constexpr int TILE = 16, EDGE = TILE + 2;    // pixels along a side of a tile, and with its halo
constexpr int CHUNK = 8, PIXEL = CHUNK + 4;  // input channels of a stage; floats of a pixel, with padding

// The offset of pixel (row, column) of the tile with its halo. Even columns come first, then odd ones.
__device__ __forceinline__ int pixel_offset(int row, int column) {
    return (row * EDGE + (column & 1) * (EDGE / 2) + (column >> 1)) * PIXEL;
}

struct Images {  // contiguous (N, H, W, C); of a pooled gradient H and W are those after pooling
    const float* values;
    const unsigned char* winner;
    int height, width, channels;
};

// Start to copy CHUNK channels of the pixels from (top, left) on, WIDTH (1 or 4) at a time; zeros outside the image.
// 32-bit offsets cover an image (checked before the launch), which saves address arithmetic.
template <int WIDTH>
__device__ __forceinline__ void load_image(float* stage, const Images& x, int n, int top, int left, int channel) {
    constexpr int PIECES = CHUNK / WIDTH;
    const float* image = x.values + static_cast<long long>(n) * x.height * x.width * x.channels;
    for (int k = threadIdx.x; k < EDGE * EDGE * PIECES; k += blockDim.x) {
        int pixel = k / PIECES, c = k % PIECES * WIDTH, tile_row = pixel / EDGE, tile_column = pixel % EDGE;
        int row = top + tile_row, column = left + tile_column;
        bool inside = row >= 0 && row < x.height && column >= 0 && column < x.width && channel + c < x.channels;
        const float* from = inside ? image + (row * x.width + column) * x.channels + channel + c : x.values;
        copy_async<4 * WIDTH>(stage + pixel_offset(tile_row, tile_column) + c, from, inside);
    }
}

// The same for the gradient before pooling, rounded once: the gradient of a window goes to its winner, 0 to the others.
template <int PRODUCTS>
__device__ __forceinline__ void load_pooled(float* stage, const Images& dz, int n, int top, int left, int channel) {
    constexpr int WINDOWS = EDGE / 2 + 1;  // along a side; the halo may cut the first and the last in half
    for (int k = threadIdx.x; k < WINDOWS * WINDOWS * (CHUNK / 4); k += blockDim.x) {
        int c = k % (CHUNK / 4) * 4, v = k / (CHUNK / 4) % WINDOWS, u = k / (CHUNK / 4) / WINDOWS;
        int i = (top >> 1) + u, j = (left >> 1) + v;
        bool inside = i >= 0 && i < dz.height && j >= 0 && j < dz.width;
        long long pixel = (static_cast<long long>(n) * dz.height + i) * dz.width + j;
        PooledGradient gradient =
            load_pooled_gradient(dz.values, dz.winner, inside ? pixel : 0, channel + c, dz.channels, inside);
#pragma unroll
        for (int e = 0; e < 4; e++) gradient.value[e] = round_once<PRODUCTS>(gradient.value[e]);
#pragma unroll
        for (int phase = 0; phase < 4; phase++) {
            int row = 2 * i + phase / 2 - top, column = 2 * j + phase % 2 - left;
            if (row < 0 || row >= EDGE || column < 0 || column >= EDGE) continue;
            *reinterpret_cast<float4*>(stage + pixel_offset(row, column) + c) = gradient.scatter(phase);
        }
    }
}

// Start to copy the weights of a chunk of input channels and OUT output channels: TAPS · CHUNK rows.
template <int OUT>
__device__ __forceinline__ void load_weights(float* stage, const float* w, int chunk, int first, int all_channels) {
    for (int k = threadIdx.x; k < TAPS * CHUNK * (OUT / 4); k += blockDim.x) {
        int row = k / (OUT / 4), o = k % (OUT / 4) * 4;
        copy_async<16>(stage + row * (OUT + 8) + o,
                       w + (static_cast<long long>(chunk) * TAPS * CHUNK + row) * all_channels + first + o, true);
    }
}
