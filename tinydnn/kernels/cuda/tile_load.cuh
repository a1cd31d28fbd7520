// How a tile of pixels with its border, and the weights for it, come into shared memory: for tile_conv.cu, which says why.
#pragma once
#include "fragments.cuh"
#include "pooling.cuh"

constexpr int TILE = 16, EDGE = TILE + 2, CHUNK = 8, PIXEL = CHUNK + 4, TAPS = 9;

// Where the pixel (row, column) of the tile with its border lies; even columns first, then odd ones.
__device__ __forceinline__ int place(int row, int column) {
    return (row * EDGE + (column & 1) * (EDGE / 2) + (column >> 1)) * PIXEL;
}

struct Picture {  // (N, H, W, C) in one piece; of a pooled gradient H and W are those after pooling
    const float* numbers;
    const unsigned char* winner;
    int height, width, channels;
};

// Begin to copy 8 channels of the pixels from (top, left) on to shared memory, WIDTH (1 or 4) at once; zeros outside the
// picture. Within a picture 32 bits count all numbers (the launch sees to that), so addresses cost few instructions.
template <int WIDTH>
__device__ __forceinline__ void load_picture(float* store, const Picture& x, int n, int top, int left, int channel) {
    constexpr int PIECES = CHUNK / WIDTH;
    const float* picture = x.numbers + static_cast<long long>(n) * x.height * x.width * x.channels;
    for (int k = threadIdx.x; k < EDGE * EDGE * PIECES; k += blockDim.x) {
        int pixel = k / PIECES, c = k % PIECES * WIDTH, row = pixel / EDGE, column = pixel % EDGE;
        int y = top + row, at = left + column;
        bool inside = y >= 0 && y < x.height && at >= 0 && at < x.width && channel + c < x.channels;
        const float* from = inside ? picture + (y * x.width + at) * x.channels + channel + c : x.numbers;
        copy_async<4 * WIDTH>(store + place(row, column) + c, from, inside);
    }
}

// The same of the gradient before pooling, `rounded`: a pooled pixel becomes four, of which the winner has it all.
template <int PRODUCTS>
__device__ __forceinline__ void load_pooled(float* store, const Picture& dz, int n, int top, int left, int channel) {
    constexpr int SIDE = EDGE / 2 + 1;
    for (int k = threadIdx.x; k < SIDE * SIDE * (CHUNK / 4); k += blockDim.x) {
        int c = k % (CHUNK / 4) * 4, b = k / (CHUNK / 4) % SIDE, a = k / (CHUNK / 4) / SIDE;
        int y = (top >> 1) + a, x = (left >> 1) + b;
        bool inside = y >= 0 && y < dz.height && x >= 0 && x < dz.width;
        long long pixel = (static_cast<long long>(n) * dz.height + y) * dz.width + x;
        Gradient found = pooled_gradient(dz.numbers, dz.winner, inside ? pixel : 0, channel + c, dz.channels, inside);
#pragma unroll
        for (int j = 0; j < 4; j++) found.value[j] = rounded<PRODUCTS>(found.value[j]);
#pragma unroll
        for (int phase = 0; phase < 4; phase++) {
            int row = 2 * y + phase / 2 - top, column = 2 * x + phase % 2 - left;
            if (row < 0 || row >= EDGE || column < 0 || column >= EDGE) continue;
            float4 four;
            four.x = found.winner[0] == phase ? found.value[0] : 0;
            four.y = found.winner[1] == phase ? found.value[1] : 0;
            four.z = found.winner[2] == phase ? found.value[2] : 0;
            four.w = found.winner[3] == phase ? found.value[3] : 0;
            *reinterpret_cast<float4*>(store + place(row, column) + c) = four;
        }
    }
}

// Begin to copy the weights of 8 input channels and OUT output channels: 9 · 8 rows.
template <int OUT> __device__ __forceinline__ void load_weights(float* store, const float* w, int chunk, int first, int all) {
    for (int k = threadIdx.x; k < TAPS * CHUNK * (OUT / 4); k += blockDim.x) {
        int row = k / (OUT / 4), o = k % (OUT / 4) * 4;
        copy_async<16>(store + row * (OUT + 8) + o, w + (static_cast<long long>(chunk) * TAPS * CHUNK + row) * all + first + o, true);
    }
}
