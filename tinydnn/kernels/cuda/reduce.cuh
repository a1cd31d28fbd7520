// Sums and maxima over a warp: every lane gets the result, and the order is always the same.
#pragma once

template <class T> __device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) x += __shfl_xor_sync(0xffffffffu, x, apart);
    return x;
}

template <class T> __device__ __forceinline__ T warp_max(T x) {
#pragma unroll
    for (int apart = 16; apart > 0; apart /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, x, apart);
        x = other > x || other != other ? other : x;
    }
    return x;
}
