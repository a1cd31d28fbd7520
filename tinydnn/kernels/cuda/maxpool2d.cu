// Max pooling of any window and stride, channels-last, one thread for each element: neighbouring threads access
// neighbouring addresses. Memory-bound. Forward reads x and writes z and one byte for each of its elements: 5.25 bytes for
// each element of x with a 2 × 2 window. Backward reads 5 bytes for each element of z and writes 4 for each of x.
#include "threads.cuh"

// z[n,i,j,c] = max_{u,v} x[n, i·s + u, j·s + v, c]; winner = u · window + v of the maximum, the first of equal values.
// A NaN wins, so that it stays visible.
template <class T>
__global__ void maxpool_forward(const T* x, T* z, unsigned char* winner, long long size, int height, int width, int channels,
                                int out_height, int out_width, int window, int stride) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels, j = k / channels % out_width, i = k / channels / out_width % out_height;
    long long n = k / channels / out_width / out_height;
    const T* first = x + ((n * height + i * stride) * width + j * stride) * channels + c;
    T best = *first;
    int argmax = 0;
    for (int position = 1; position < window * window; position++) {
        T other = first[(static_cast<long long>(position / window) * width + position % window) * channels];
        if (other > best || (other != other && best == best)) best = other, argmax = position;
    }
    z[k] = best;
    winner[k] = argmax;
}

// dx[n,row,column,c] = Σ dz[n,i,j,c] over the windows (i, j) whose winner is this pixel, summed by one thread in fixed order.
template <class T>
__global__ void maxpool_backward(const T* dz, const unsigned char* winner, T* dx, long long size, int height, int width,
                                 int channels, int out_height, int out_width, int window, int stride) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels, column = k / channels % width, row = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = row % stride; u < window && u <= row; u += stride) {
        int i = (row - u) / stride;
        if (i >= out_height) continue;
        for (int v = column % stride; v < window && v <= column; v += stride) {
            int j = (column - v) / stride;
            if (j >= out_width) continue;
            long long pooled = ((n * out_height + i) * out_width + j) * channels + c;
            if (winner[pooled] == u * window + v) sum += dz[pooled];
        }
    }
    dx[k] = sum;
}
