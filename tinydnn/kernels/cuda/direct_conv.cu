// Convolution as its formula says, a thread for each number: any kernel, stride and padding, in float32 and float64.
// It is what the others are compared with, not fast: every input number is read kh · kw times for each output channel, from
// the caches. All arrays are channels-last, (N, H, W, C), and w is (kh, kw, C, O), so that neighbouring threads read neighbours.

// z[n,i,j,o] = Σ_{u,v,c} x[n, i·s + u − p, j·s + v − p, c] · w[u,v,c,o] + b[o]
template <class T>
__global__ void direct_forward(const T* x, const T* w, const T* b, T* z, int pictures, int height, int width, int channels,
                               int out_height, int out_width, int out_channels, int kh, int kw, int stride, int padding) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= static_cast<long long>(pictures) * out_height * out_width * out_channels) return;
    int o = k % out_channels, j = k / out_channels % out_width, i = k / out_channels / out_width % out_height;
    long long n = k / out_channels / out_width / out_height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int y = i * stride + u - padding;
        if (y < 0 || y >= height) continue;
        for (int v = 0; v < kw; v++) {
            int at = j * stride + v - padding;
            if (at < 0 || at >= width) continue;
            const T* pixel = x + ((n * height + y) * width + at) * channels;
            const T* weights = w + static_cast<long long>(u * kw + v) * channels * out_channels + o;
            for (int c = 0; c < channels; c++) sum += pixel[c] * weights[static_cast<long long>(c) * out_channels];
        }
    }
    z[k] = b != nullptr ? sum + b[o] : sum;
}

// dx[n,y,x,c] = Σ_{u,v,o} dz[n,i,j,o] · w[u,v,c,o] over the windows (i, j) that see the pixel at (u, v); w as (kh, kw, O, C)
template <class T>
__global__ void direct_dx(const T* dz, const T* w, T* dx, int pictures, int height, int width, int channels, int out_height,
                          int out_width, int out_channels, int kh, int kw, int stride, int padding) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= static_cast<long long>(pictures) * height * width * channels) return;
    int c = k % channels, at = k / channels % width, y = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int i = y + padding - u;
        if (i < 0 || i % stride || i / stride >= out_height) continue;
        for (int v = 0; v < kw; v++) {
            int j = at + padding - v;
            if (j < 0 || j % stride || j / stride >= out_width) continue;
            const T* gradient = dz + ((n * out_height + i / stride) * out_width + j / stride) * out_channels;
            const T* weights = w + static_cast<long long>(u * kw + v) * channels * out_channels + c;
            for (int o = 0; o < out_channels; o++) sum += gradient[o] * weights[static_cast<long long>(o) * channels];
        }
    }
    dx[k] = sum;
}

// dw[u,v,c,o] = Σ_{n,i,j} dz[n,i,j,o] · x[n, i·s + u − p, j·s + v − p, c], and below the last of them db[o] = Σ dz[n,i,j,o].
// A block for each (u, v, c, group of 32 output channels): 8 threads for each number take turns with the pixels, then add up.
template <class T>
__global__ void __launch_bounds__(256) direct_dw(const T* x, const T* dz, T* dw, T* db, int pictures, int height, int width,
                                                 int channels, int out_height, int out_width, int out_channels, int kh, int kw,
                                                 int stride, int padding) {
    __shared__ T sums[256];
    int lane = threadIdx.x % 32, group = threadIdx.x / 32, o = blockIdx.y * 32 + lane;
    int c = blockIdx.x % channels, v = blockIdx.x / channels % kw, u = blockIdx.x / channels / kw;
    bool bias = u == kh;  // the blocks after the last tap
    long long pixels = static_cast<long long>(pictures) * out_height * out_width;
    T sum = 0;
    if (o < out_channels)
        for (long long k = group; k < pixels; k += 8) {
            int j = k % out_width, i = k / out_width % out_height, y = i * stride + u - padding, at = j * stride + v - padding;
            if (bias) sum += dz[k * out_channels + o];
            else if (y >= 0 && y < height && at >= 0 && at < width)
                sum += dz[k * out_channels + o] * x[((k / out_width / out_height * height + y) * width + at) * channels + c];
        }
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (group != 0 || o >= out_channels) return;
    for (int other = 1; other < 8; other++) sum += sums[other * 32 + lane];
    if (bias) db[o] = sum;
    else dw[static_cast<long long>(blockIdx.x) * out_channels + o] = sum;
}
