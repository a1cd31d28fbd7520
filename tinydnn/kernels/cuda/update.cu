// A step of an optimiser for all parameters at once, which lie in one flat buffer. Bound by memory: SGD with momentum reads
// θ, g and v and writes θ and v, 20 bytes a number; Adam 28. Four numbers a thread, 16 bytes each.
//
// What changes from step to step stands in `rates`, on the device, so that a captured graph need not be captured anew.

__device__ __forceinline__ float& part(float4& four, int k) { return k == 0 ? four.x : k == 1 ? four.y : k == 2 ? four.z : four.w; }

// g ← g + decay · θ,  v ← momentum · v + g,  θ ← θ − lr · v, or with Nesterov's look ahead − lr · (g + momentum · v). rates: lr
__global__ void __launch_bounds__(256)
sgd(float4* theta, const float4* g, float4* velocity, const float* rates, long long fours, float momentum, float decay, bool nesterov) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= fours) return;
    float lr = rates[0];
    float4 value = theta[k], gradient = g[k], v = make_float4(0, 0, 0, 0);
    if (momentum != 0) v = velocity[k];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        float slope = part(gradient, j) + decay * part(value, j);
        part(v, j) = momentum * part(v, j) + slope;
        part(value, j) -= lr * (nesterov ? slope + momentum * part(v, j) : part(v, j));
    }
    theta[k] = value;
    if (momentum != 0) velocity[k] = v;
}

// m ← β₁ m + (1 − β₁) g,  v ← β₂ v + (1 − β₂) g²,  θ ← θ − lr · m̂ / (√v̂ + ε). rates: lr, 1 − β₁ᵗ, 1 − β₂ᵗ
__global__ void __launch_bounds__(256)
adam(float4* theta, const float4* g, float4* mean, float4* square, const float* rates, long long fours, float beta_1, float beta_2,
     float eps, float decay) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= fours) return;
    float lr = rates[0], of_mean = rates[1], of_square = rates[2];
    float4 value = theta[k], gradient = g[k], m = mean[k], v = square[k];
#pragma unroll
    for (int j = 0; j < 4; j++) {
        float slope = part(gradient, j) + decay * part(value, j);
        part(m, j) = beta_1 * part(m, j) + (1 - beta_1) * slope;
        part(v, j) = beta_2 * part(v, j) + (1 - beta_2) * slope * slope;
        part(value, j) -= lr * (part(m, j) / of_mean) / (sqrtf(part(v, j) / of_square) + eps);
    }
    theta[k] = value, mean[k] = m, square[k] = v;
}
