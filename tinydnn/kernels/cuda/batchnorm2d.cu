// Batch normalisation, channels-last. x̂ = (x − μ) / √(σ² + ε), z = γ · x̂ + β.
// Bound by memory: forward x and z once; backward x and dz twice (sums, then dx) and dx once. Sums are added in two stages.

template <class T>
__global__ void batchnorm_forward(const T* x, const T* gamma, const T* beta, const T* mean, const T* var, T* z, long long size,
                                  int channels, T eps) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels;
    z[k] = gamma[c] * ((x[k] - mean[c]) / sqrt(var[c] + eps)) + beta[c];
}

// Parts (S, 2, C) of dγ = Σ dz · x̂ and dβ = Σ dz. 32 channels and 8 rows of pixels to a block.
template <class T>
__global__ void __launch_bounds__(256) batchnorm_sums(const T* x, const T* dz, const T* mean, const T* var, T* parts,
                                                      long long pixels, int channels, T eps) {
    __shared__ T sums[2][256];
    int lane = threadIdx.x % 32, group = threadIdx.x / 32, c = blockIdx.y * 32 + lane;
    T dgamma = 0, dbeta = 0;
    if (c < channels) {
        T center = mean[c], scale = 1 / sqrt(var[c] + eps);
        for (long long k = blockIdx.x * 8 + group; k < pixels; k += 8 * gridDim.x) {
            T g = dz[k * channels + c];
            dgamma += g * ((x[k * channels + c] - center) * scale);
            dbeta += g;
        }
    }
    sums[0][threadIdx.x] = dgamma, sums[1][threadIdx.x] = dbeta;
    __syncthreads();
    if (group != 0 || c >= channels) return;
    for (int other = 1; other < 8; other++) dgamma += sums[0][other * 32 + lane], dbeta += sums[1][other * 32 + lane];
    parts[(2 * blockIdx.x) * channels + c] = dgamma;
    parts[(2 * blockIdx.x + 1) * channels + c] = dbeta;
}

// dγ and dβ, (2, C), from their parts.
template <class T> __global__ void batchnorm_total(const T* parts, T* both, int count, int channels) {
    int k = blockIdx.x * blockDim.x + threadIdx.x;
    if (k >= 2 * channels) return;
    T sum = 0;
    for (int s = 0; s < count; s++) sum += parts[static_cast<long long>(s) * 2 * channels + k];
    both[k] = sum;
}

// dx = γ / √(σ² + ε) · (dz − dβ/M − x̂ · dγ/M), and without batch statistics γ / √(σ² + ε) · dz.
template <class T>
__global__ void batchnorm_dx(const T* x, const T* dz, const T* gamma, const T* mean, const T* var, const T* both, T* dx,
                             long long size, int channels, T eps, bool batch_statistics) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels;
    T scale = 1 / sqrt(var[c] + eps), flow = dz[k], count = T(size / channels);
    if (batch_statistics) flow -= both[channels + c] / count + (x[k] - mean[c]) * scale * both[c] / count;
    dx[k] = gamma[c] * scale * flow;
}
