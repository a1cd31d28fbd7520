// Sum and maximum over a warp, by butterfly shuffles. Every lane gets the result; the order of operations is fixed.
#pragma once

template <class T> __device__ __forceinline__ T warp_sum(T x) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) x += __shfl_xor_sync(0xffffffffu, x, offset);
    return x;
}

// NaN if any lane has NaN.
template <class T> __device__ __forceinline__ T warp_max(T x) {
#pragma unroll
    for (int offset = 16; offset > 0; offset /= 2) {
        T other = __shfl_xor_sync(0xffffffffu, x, offset);
        x = other > x || other != other ? other : x;
    }
    return x;
}
