// Who wins a window of 2 × 2, and what that means for the gradient.
#pragma once

constexpr int CUT = 4;  // nobody: ReLU cut it off

// Bias, ReLU and maximum of four convolved pixels in reading order; `winner` becomes 0 to 3, or CUT.
// Bias and ReLU keep the order of numbers, so they come after the maximum. Of equals the first wins; a NaN wins to show.
__device__ __forceinline__ float pooled(float a, float b, float c, float d, float bias, int& winner) {
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

// Four channels of a pooled gradient, with who won each; zeros and CUT outside and beyond the last channel.
struct Gradient {
    float value[4];
    unsigned char winner[4];
};

__device__ __forceinline__ Gradient pooled_gradient(
    const float* dz, const unsigned char* winner, long long pixel, int channel, int channels, bool inside) {
    Gradient found;
    const float* at = dz + pixel * channels + channel;
    const unsigned char* who = winner + pixel * channels + channel;
    if (inside && channels % 4 == 0 && channel < channels) {
        float4 four = *reinterpret_cast<const float4*>(at);
        uchar4 bytes = *reinterpret_cast<const uchar4*>(who);
        found.value[0] = four.x, found.value[1] = four.y, found.value[2] = four.z, found.value[3] = four.w;
        found.winner[0] = bytes.x, found.winner[1] = bytes.y, found.winner[2] = bytes.z, found.winner[3] = bytes.w;
        return found;
    }
#pragma unroll
    for (int k = 0; k < 4; k++) {
        bool there = inside && channel + k < channels;
        found.value[k] = there ? at[k] : 0;
        found.winner[k] = there ? who[k] : CUT;
    }
    return found;
}
