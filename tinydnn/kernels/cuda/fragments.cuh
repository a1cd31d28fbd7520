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
};

template <int PRODUCTS>
__device__ __forceinline__ void multiply_add(
    float (&d)[4], const Fragment<PRODUCTS, 4>& a, const Fragment<PRODUCTS, 2>& b) {
    if constexpr (PRODUCTS == 3) {  // the small ones first
        multiply_add(d, a.low, b.high);
        multiply_add(d, a.high, b.low);
    }
    multiply_add(d, a.high, b.high);
}
