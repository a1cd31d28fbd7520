// ReLU and dropout with one launch in each direction. Memory-bound.
#include "threads.cuh"

// z = max(0, x); a NaN stays.
template <class T> __global__ void relu_forward(const T* x, T* z, long long size) {
    long long k = element_index();
    if (k < size) z[k] = x[k] > 0 || x[k] != x[k] ? x[k] : T(0);
}

// dx = dz where z > 0, which is where x > 0, else 0.
template <class T> __global__ void relu_backward(const T* z, const T* dz, T* dx, long long size) {
    long long k = element_index();
    if (k < size) dx[k] = z[k] > 0 ? dz[k] : T(0);
}

// z = x · keep · scale, and the gradient likewise.
template <class T> __global__ void dropout(const T* x, const bool* keep, T* z, long long size, T scale) {
    long long k = element_index();
    if (k < size) z[k] = x[k] * (keep[k] ? scale : T(0));
}
