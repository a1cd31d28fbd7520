// An optimizer step for all parameters at once, in one flat buffer. Memory-bound: SGD with momentum reads θ, g and v and
// writes θ and v, 20 bytes for each parameter; Adam takes 28. A thread updates VECTOR parameters, 16 bytes at a time.
//
// Values that change from step to step are in `scalars` on the device, so that a captured CUDA graph stays valid.
#include "threads.cuh"

constexpr int VECTOR = 4;

__device__ __forceinline__ float& element(float4& vector, int j) {
    return j == 0 ? vector.x : j == 1 ? vector.y : j == 2 ? vector.z : vector.w;
}

// g ← g + weight_decay · θ,  v ← momentum · v + g,  θ ← θ − lr · v, or with Nesterov θ ← θ − lr · (g + momentum · v).
// scalars: lr. count: vectors.
__global__ void __launch_bounds__(THREADS)
sgd(float4* theta, const float4* g, float4* v, const float* scalars, long long count, float momentum, float weight_decay,
    bool nesterov) {
    long long k = element_index();
    if (k >= count) return;
    float lr = scalars[0];
    float4 theta_k = theta[k], g_k = g[k], v_k = make_float4(0, 0, 0, 0);
    if (momentum != 0) v_k = v[k];
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        float &theta_j = element(theta_k, j), &v_j = element(v_k, j);
        float g_j = element(g_k, j) + weight_decay * theta_j;
        v_j = momentum * v_j + g_j;
        theta_j -= lr * (nesterov ? g_j + momentum * v_j : v_j);
    }
    theta[k] = theta_k;
    if (momentum != 0) v[k] = v_k;
}

// g ← g + weight_decay · θ,  m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  θ ← θ − lr · m̂ / (√v̂ + ε) with
// m̂ = m / (1 − β₁ᵗ), v̂ = v / (1 − β₂ᵗ). scalars: lr, 1 − β₁ᵗ, 1 − β₂ᵗ. count: vectors.
__global__ void __launch_bounds__(THREADS)
adam(float4* theta, const float4* g, float4* m, float4* v, const float* scalars, long long count, float beta_1, float beta_2,
     float eps, float weight_decay) {
    long long k = element_index();
    if (k >= count) return;
    float lr = scalars[0], correction_1 = scalars[1], correction_2 = scalars[2];
    float4 theta_k = theta[k], g_k = g[k], m_k = m[k], v_k = v[k];
#pragma unroll
    for (int j = 0; j < VECTOR; j++) {
        float &theta_j = element(theta_k, j), &m_j = element(m_k, j), &v_j = element(v_k, j);
        float g_j = element(g_k, j) + weight_decay * theta_j;
        m_j = beta_1 * m_j + (1 - beta_1) * g_j;
        v_j = beta_2 * v_j + (1 - beta_2) * g_j * g_j;
        theta_j -= lr * (m_j / correction_1) / (sqrtf(v_j / correction_2) + eps);
    }
    theta[k] = theta_k, m[k] = m_k, v[k] = v_k;
}

// Copy up to ARRAYS arrays into one buffer in one launch, such as the gradients of all parameters: blocks (·, k) copy array k,
// unless it is null. places: offset and size of each.
constexpr int ARRAYS = 16, COPYING_BLOCKS = 264;  // blocks of an array at most, two for each multiprocessor of an H100

__global__ void __launch_bounds__(THREADS)
gather_arrays(const float* a0, const float* a1, const float* a2, const float* a3, const float* a4, const float* a5,
              const float* a6, const float* a7, const float* a8, const float* a9, const float* a10, const float* a11,
              const float* a12, const float* a13, const float* a14, const float* a15, const long long* places, float* buffer) {
    const float* arrays[ARRAYS] = {a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15};
    const float* from = arrays[blockIdx.y];
    if (from == nullptr) return;
    long long offset = places[2 * blockIdx.y], size = places[2 * blockIdx.y + 1], step = gridDim.x * THREADS;
    float* to = buffer + offset;
    for (long long k = element_index(); k < size; k += step) to[k] = from[k];
}
