// Max pooling of 2 × 2 windows with bias and ReLU, and its gradient.
#pragma once

constexpr int CUT = 4;  // the winner of a window that ReLU cut off

// Bias, ReLU and maximum of four convolved pixels in reading order. `winner` becomes the argmax, 0 to 3, or CUT. Bias and
// ReLU are monotonic, so they are applied to the maximum alone. The first of equal values wins; a NaN wins, so that it
// stays visible.
__device__ __forceinline__ float pool(float a, float b, float c, float d, float bias, int& winner) {
    float best = a;
    winner = 0;
    if (b > best || (b != b && best == best)) best = b, winner = 1;
    if (c > best || (c != c && best == best)) best = c, winner = 2;
    if (d > best || (d != d && best == best)) best = d, winner = 3;
    best += bias;
    if (!(best > 0)) {
        winner = CUT;
        if (best == best) best = 0;
    }
    return best;
}

// Four channels of a pooled gradient and their winners.
struct PooledGradient {
    float value[4];
    unsigned char winner[4];

    // The gradient of the pixel `phase` of the window, 0 to 3 in reading order.
    __device__ __forceinline__ float4 scatter(int phase) const {
        float4 dz;
        dz.x = winner[0] == phase ? value[0] : 0;
        dz.y = winner[1] == phase ? value[1] : 0;
        dz.z = winner[2] == phase ? value[2] : 0;
        dz.w = winner[3] == phase ? value[3] : 0;
        return dz;
    }
};

// Load four channels; zeros and CUT outside the image and beyond the last channel.
__device__ __forceinline__ PooledGradient load_pooled_gradient(
    const float* dz, const unsigned char* winner, long long pixel, int channel, int channels, bool inside) {
    PooledGradient gradient;
    dz += pixel * channels + channel;
    winner += pixel * channels + channel;
    if (inside && channels % 4 == 0 && channel < channels) {
        float4 v = *reinterpret_cast<const float4*>(dz);
        uchar4 w = *reinterpret_cast<const uchar4*>(winner);
        gradient.value[0] = v.x, gradient.value[1] = v.y, gradient.value[2] = v.z, gradient.value[3] = v.w;
        gradient.winner[0] = w.x, gradient.winner[1] = w.y, gradient.winner[2] = w.z, gradient.winner[3] = w.w;
        return gradient;
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        bool valid = inside && channel + k < channels;
        gradient.value[k] = valid ? dz[k] : 0;
        gradient.winner[k] = valid ? winner[k] : CUT;
    }
    return gradient;
}
