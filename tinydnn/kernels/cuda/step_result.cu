// The figures of a training step in one launch: result = (total loss, image loss, accuracy), the accuracy from the logits.
// One block, because the logits of a batch are a few hundred values. The correct rows are counted in integers.
#include "threads.cuh"

__global__ void __launch_bounds__(THREADS)
step_result(const float* total_loss, const float* image_loss, const float* logits, const long long* labels, float* result,
            int rows, int classes) {
    __shared__ int counts[THREADS];
    int correct = 0;
    for (int n = threadIdx.x; n < rows; n += THREADS) {
        const float* row = logits + static_cast<long long>(n) * classes;
        int best = 0;
        for (int k = 1; k < classes; k++)  // the first of equal values; a NaN is larger than any number
            if (row[k] > row[best] || (row[k] != row[k] && row[best] == row[best])) best = k;
        correct += best == labels[n];
    }
    counts[threadIdx.x] = correct;
    __syncthreads();
    if (threadIdx.x != 0) return;
    for (int k = 1; k < THREADS; k++) correct += counts[k];
    result[0] = *total_loss;
    result[1] = *image_loss;
    result[2] = static_cast<float>(correct) / rows;
}
