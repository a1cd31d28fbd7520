// Batch normalisation, channels-last. x̂ = (x − μ) / √(σ² + ε), z = γ · x̂ + β.
// Memory-bound: forward reads x and writes z; backward reads x and dz twice (sums, then dx) and writes dx. Sums are
// reduced in two stages.
#include "threads.cuh"

template <class T>
__global__ void batchnorm_forward(const T* x, const T* gamma, const T* beta, const T* mean, const T* var, T* z, long long size,
                                  int channels, T eps) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels;
    z[k] = gamma[c] * ((x[k] - mean[c]) / sqrt(var[c] + eps)) + beta[c];
}

// Partial sums (S, 2, C) of dγ = Σ dz · x̂ and dβ = Σ dz, one for each block.
template <class T>
__global__ void __launch_bounds__(LANES * GROUPS)
batchnorm_sums(const T* x, const T* dz, const T* mean, const T* var, T* partials, long long pixels, int channels, T eps) {
    __shared__ T sums[2][LANES * GROUPS];
    int lane = threadIdx.x % LANES, group = threadIdx.x / LANES, c = blockIdx.y * LANES + lane;
    T dgamma = 0, dbeta = 0;
    if (c < channels) {
        T mu = mean[c], inverse_std = 1 / sqrt(var[c] + eps);
        for (long long k = blockIdx.x * GROUPS + group; k < pixels; k += GROUPS * gridDim.x) {
            T g = dz[k * channels + c];
            dgamma += g * ((x[k * channels + c] - mu) * inverse_std);
            dbeta += g;
        }
    }
    sums[0][threadIdx.x] = dgamma, sums[1][threadIdx.x] = dbeta;
    __syncthreads();
    if (group != 0 || c >= channels) return;
    for (int other = 1; other < GROUPS; other++) {
        dgamma += sums[0][other * LANES + lane];
        dbeta += sums[1][other * LANES + lane];
    }
    partials[(2 * blockIdx.x) * channels + c] = dgamma;
    partials[(2 * blockIdx.x + 1) * channels + c] = dbeta;
}

// sums: dγ and dβ, (2, C).
template <class T> __global__ void batchnorm_total(const T* partials, T* sums, int count, int channels) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= 2 * channels) return;
    T sum = 0;
    for (int s = 0; s < count; s++) sum += partials[static_cast<long long>(s) * 2 * channels + k];
    sums[k] = sum;
}

// dx = γ / √(σ² + ε) · (dz − dβ/M − x̂ · dγ/M) with batch statistics, else γ / √(σ² + ε) · dz. sums: dγ and dβ.
template <class T>
__global__ void batchnorm_dx(const T* x, const T* dz, const T* gamma, const T* mean, const T* var, const T* sums, T* dx,
                             long long size, int channels, T eps, bool batch_statistics) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels;
    T inverse_std = 1 / sqrt(var[c] + eps), g = dz[k], M = T(size / channels);
    if (batch_statistics) g -= sums[channels + c] / M + (x[k] - mean[c]) * inverse_std * sums[c] / M;
    dx[k] = gamma[c] * inverse_std * g;
}
