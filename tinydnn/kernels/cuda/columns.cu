// Windows of a picture as the rows of a matrix, and back: im2col for a matrix product (cuBLAS), channels-last.
// Bound by memory: kh · kw times the picture is written and read again, which is what the other kernels save.

// columns[(n,i,j), (u,v,c)] = x[n, i·s + u − p, j·s + v − p, c], zeros outside
template <class T>
__global__ void to_columns(const T* x, T* columns, long long size, int height, int width, int channels, int out_height,
                           int out_width, int kh, int kw, int stride, int padding) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels, v = k / channels % kw, u = k / channels / kw % kh;
    long long pixel = k / channels / kw / kh, n = pixel / out_width / out_height;
    int y = pixel / out_width % out_height * stride + u - padding, at = pixel % out_width * stride + v - padding;
    bool inside = y >= 0 && y < height && at >= 0 && at < width;
    columns[k] = inside ? x[((n * height + y) * width + at) * channels + c] : T(0);
}

// x[n,y,x,c] = Σ of the columns that came from it; each number is the sum of one thread, in the order of taps
template <class T>
__global__ void from_columns(const T* columns, T* x, long long size, int height, int width, int channels, int out_height,
                             int out_width, int kh, int kw, int stride, int padding) {
    long long k = static_cast<long long>(blockIdx.x) * blockDim.x + threadIdx.x;
    if (k >= size) return;
    int c = k % channels, at = k / channels % width, y = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int i = y + padding - u;
        if (i < 0 || i % stride || i / stride >= out_height) continue;
        for (int v = 0; v < kw; v++) {
            int j = at + padding - v;
            if (j < 0 || j % stride || j / stride >= out_width) continue;
            long long pixel = (n * out_height + i / stride) * out_width + j / stride;
            sum += columns[((pixel * kh + u) * kw + v) * channels + c];
        }
    }
    x[k] = sum;
}
