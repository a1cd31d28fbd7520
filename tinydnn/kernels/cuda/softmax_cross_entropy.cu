// Softmax, cross-entropy and its gradient in one launch: one warp for each row of logits, one block for all rows.
//
//   L = −1/N · Σ_{n,k} t[n,k] · log p[n,k],     dlogits[n,k] = (p[n,k] − t[n,k]) / N
//   t[n,k] = (1 − ε) · [k = labels[n]] + ε/K
//
// One block suffices: the logits of a batch are a few hundred values, and launches dominate the cost. The loss is summed in
// a fixed order. A label outside 0 … K − 1 causes no read out of bounds; it makes the loss NaN, which training reports.
#include "reduce.cuh"

constexpr int WARPS = 8, THREADS = 32 * WARPS;

template <class T, class Label>
__global__ void __launch_bounds__(THREADS)
softmax_cross_entropy(const T* logits, const Label* labels, T* loss, T* dlogits, int rows, int classes, T smoothing) {
    __shared__ T warp_totals[WARPS];
    int lane = threadIdx.x % 32, warp = threadIdx.x / 32;
    T total = 0;
    for (int n = warp; n < rows; n += WARPS) {
        const T* row = logits + static_cast<long long>(n) * classes;
        T largest = row[0];
        for (int k = lane; k < classes; k += 32) largest = row[k] > largest || row[k] != row[k] ? row[k] : largest;
        largest = warp_max(largest);
        T sum = 0;
        for (int k = lane; k < classes; k += 32) sum += exp(row[k] - largest);
        T log_sum = log(warp_sum(sum));
        long long label = labels[n];
        for (int k = lane; k < classes; k += 32) {
            T log_p = row[k] - largest - log_sum, target = smoothing / classes + (k == label ? 1 - smoothing : T(0));
            total -= target * log_p;
            dlogits[static_cast<long long>(n) * classes + k] = (exp(log_p) - target) / rows;
        }
        if (label < 0 || label >= classes) total += log(T(-1));
    }
    total = warp_sum(total);
    if (lane == 0) warp_totals[warp] = total;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int k = 1; k < WARPS; k++) total += warp_totals[k];
    *loss = total / rows;
}
