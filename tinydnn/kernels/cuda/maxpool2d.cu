// Max pooling of any window and stride, channels-last: a thread for each number, neighbours side by side in memory.
// Bound by memory. Forward: x once, z and one byte for each of its numbers; for 2 × 2 that is 5.25 bytes for each number of
// x. Backward: 5 bytes for each number of z are read, 4 for each of x written.

// z = the largest of each window; winner = its place in reading order, the first of equals. A NaN wins, to show.
template <class T>
__global__ void maxpool_forward(const T* x, T* z, unsigned char* winner, long long size, int height, int width, int channels,
                                int out_height, int out_width, int window, int stride) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels, j = k / channels % out_width, i = k / channels / out_width % out_height;
    long long n = k / channels / out_width / out_height;
    const T* first = x + ((n * height + i * stride) * width + j * stride) * channels + c;
    T best = *first;
    int who = 0;
    for (int place = 1; place < window * window; place++) {
        T other = first[(static_cast<long long>(place / window) * width + place % window) * channels];
        if (other > best || (other != other && best == best)) best = other, who = place;
    }
    z[k] = best;
    winner[k] = who;
}

// dx[n,y,x,c] = Σ dz of the windows that this pixel has won; each number is the sum of one thread, in a fixed order.
template <class T>
__global__ void maxpool_backward(const T* dz, const unsigned char* winner, T* dx, long long size, int height, int width,
                                 int channels, int out_height, int out_width, int window, int stride) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels, at = k / channels % width, y = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = y % stride; u < window && u <= y; u += stride) {
        int i = (y - u) / stride;
        if (i >= out_height) continue;
        for (int v = at % stride; v < window && v <= at; v += stride) {
            int j = (at - v) / stride;
            if (j >= out_width) continue;
            long long from = ((n * out_height + i) * out_width + j) * channels + c;
            if (winner[from] == u * window + v) sum += dz[from];
        }
    }
    dx[k] = sum;
}
