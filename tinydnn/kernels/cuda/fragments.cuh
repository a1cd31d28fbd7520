// Operands of tensor cores in one or two TF32 numbers each.
#pragma once
#include "ptx.cuh"

// PRODUCTS = 1: TF32, a product to 3 digits. PRODUCTS = 3: each number as the sum of two TF32 numbers, and the three of
// their four products that count, which is nearly as exact as float32.
template <int PRODUCTS, int SIZE> struct Fragment {
    unsigned high[SIZE];
    unsigned low[PRODUCTS == 3 ? SIZE : 1];

    __device__ __forceinline__ void set(int k, float x) {
        high[k] = to_tf32(x);
        if constexpr (PRODUCTS == 3) low[k] = to_tf32(x - __uint_as_float(high[k]));
    }

    // Where `rounded` has been at work on x already: rounding takes two instructions, as often as a number is used.
    __device__ __forceinline__ void set_rounded(int k, float x) {
        if constexpr (PRODUCTS == 1) high[k] = __float_as_uint(x);
        else set(k, x);
    }
};

// x as `set_rounded` wants it.
template <int PRODUCTS> __device__ __forceinline__ float rounded(float x) {
    return PRODUCTS == 1 ? __uint_as_float(to_tf32(x)) : x;
}

template <int PRODUCTS>
__device__ __forceinline__ void multiply_add(
    float (&d)[4], const Fragment<PRODUCTS, 4>& a, const Fragment<PRODUCTS, 2>& b) {
    if constexpr (PRODUCTS == 3) {  // the small ones first
        multiply_add(d, a.low, b.high);
        multiply_add(d, a.high, b.low);
    }
    multiply_add(d, a.high, b.high);
}
