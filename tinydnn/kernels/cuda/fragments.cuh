// Fragments (the operands of tensor cores) with one or two TF32 values for each element.
#pragma once
#include "ptx.cuh"

// PRODUCTS = 1: TF32, accurate to 3 digits. PRODUCTS = 3: each element is the sum of two TF32 values, high + low. Of the
// four products the three that matter are added, which is nearly as accurate as float32.
template <int PRODUCTS, int SIZE> struct Fragment {
    unsigned high[SIZE];
    unsigned low[PRODUCTS == 3 ? SIZE : 1];

    __device__ __forceinline__ void set(int k, float x) {
        high[k] = to_tf32(x);
        if constexpr (PRODUCTS == 3) low[k] = to_tf32(x - __uint_as_float(high[k]));
    }

    // For an x that `round_once` has returned: saves the two instructions of rounding at each use.
    __device__ __forceinline__ void set_rounded(int k, float x) {
        if constexpr (PRODUCTS == 1) high[k] = __float_as_uint(x);
        else set(k, x);
    }
};

// x as `set_rounded` expects it.
template <int PRODUCTS> __device__ __forceinline__ float round_once(float x) {
    return PRODUCTS == 1 ? __uint_as_float(to_tf32(x)) : x;
}

template <int PRODUCTS>
__device__ __forceinline__ void multiply_add(
    float (&d)[4], const Fragment<PRODUCTS, 4>& a, const Fragment<PRODUCTS, 2>& b) {
    if constexpr (PRODUCTS == 3) {  // smallest terms first
        multiply_add(d, a.low, b.high);
        multiply_add(d, a.high, b.low);
    }
    multiply_add(d, a.high, b.high);
}
