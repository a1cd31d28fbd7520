// Convolution by its formula, one thread for each element: any kernel, stride and padding, in float32 and float64.
// A baseline for the other kernels, not fast: each input element is read kh · kw times for each output channel, from the
// caches. All arrays are channels-last, (N, H, W, C), and w is (kh, kw, C, O), so that memory accesses coalesce.
#include "threads.cuh"

// z[n,i,j,o] = Σ_{u,v,c} x[n, i·s + u − p, j·s + v − p, c] · w[u,v,c,o] + b[o]
template <class T>
__global__ void direct_forward(const T* x, const T* w, const T* b, T* z, int images, int height, int width, int channels,
                               int out_height, int out_width, int out_channels, int kh, int kw, int stride, int padding) {
    long long k = element_index();
    if (k >= static_cast<long long>(images) * out_height * out_width * out_channels) return;
    int o = k % out_channels, j = k / out_channels % out_width, i = k / out_channels / out_width % out_height;
    long long n = k / out_channels / out_width / out_height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int row = i * stride + u - padding;
        if (row < 0 || row >= height) continue;
        for (int v = 0; v < kw; v++) {
            int column = j * stride + v - padding;
            if (column < 0 || column >= width) continue;
            const T* pixel = x + ((n * height + row) * width + column) * channels;
            const T* weights = w + static_cast<long long>(u * kw + v) * channels * out_channels + o;
            for (int c = 0; c < channels; c++) sum += pixel[c] * weights[static_cast<long long>(c) * out_channels];
        }
    }
    z[k] = b != nullptr ? sum + b[o] : sum;
}

// dx[n,row,column,c] = Σ_{u,v,o} dz[n,i,j,o] · w[u,v,c,o] over i·s + u − p = row, j·s + v − p = column. w: (kh, kw, O, C).
template <class T>
__global__ void direct_dx(const T* dz, const T* w, T* dx, int images, int height, int width, int channels, int out_height,
                          int out_width, int out_channels, int kh, int kw, int stride, int padding) {
    long long k = element_index();
    if (k >= static_cast<long long>(images) * height * width * channels) return;
    int c = k % channels, column = k / channels % width, row = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int i = row + padding - u;  // times the stride
        if (i < 0 || i % stride || i / stride >= out_height) continue;
        for (int v = 0; v < kw; v++) {
            int j = column + padding - v;
            if (j < 0 || j % stride || j / stride >= out_width) continue;
            const T* gradient = dz + ((n * out_height + i / stride) * out_width + j / stride) * out_channels;
            const T* weights = w + static_cast<long long>(u * kw + v) * channels * out_channels + c;
            for (int o = 0; o < out_channels; o++) sum += gradient[o] * weights[static_cast<long long>(o) * channels];
        }
    }
    dx[k] = sum;
}

// dw[u,v,c,o] = Σ_{n,i,j} dz[n,i,j,o] · x[n, i·s + u − p, j·s + v − p, c],     db[o] = Σ_{n,i,j} dz[n,i,j,o]
// A block computes LANES output channels of one (u, v, c); the blocks after the last tap, u = kh, compute db.
template <class T>
__global__ void __launch_bounds__(LANES * GROUPS)
direct_dw(const T* x, const T* dz, T* dw, T* db, int images, int height, int width, int channels, int out_height, int out_width,
          int out_channels, int kh, int kw, int stride, int padding) {
    __shared__ T sums[LANES * GROUPS];
    int lane = threadIdx.x % LANES, group = threadIdx.x / LANES, o = blockIdx.y * LANES + lane;
    int c = blockIdx.x % channels, v = blockIdx.x / channels % kw, u = blockIdx.x / channels / kw;
    bool bias = u == kh;
    long long pixels = static_cast<long long>(images) * out_height * out_width;
    T sum = 0;
    if (o < out_channels)
        for (long long k = group; k < pixels; k += GROUPS) {
            int j = k % out_width, i = k / out_width % out_height;
            int row = i * stride + u - padding, column = j * stride + v - padding;
            if (bias) sum += dz[k * out_channels + o];
            else if (row >= 0 && row < height && column >= 0 && column < width)
                sum += dz[k * out_channels + o] *
                       x[((k / out_width / out_height * height + row) * width + column) * channels + c];
        }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (group != 0 || o >= out_channels) return;
    for (int other = 1; other < GROUPS; other++) sum += sums[other * LANES + lane];
    if (bias) db[o] = sum;
    else dw[static_cast<long long>(blockIdx.x) * out_channels + o] = sum;
}
