// im2col and its adjoint for a matrix product (cuBLAS), channels-last: windows of an image as the rows of a matrix.
// Memory-bound: the matrix is kh · kw times the image, written and read again. The other kernels avoid that.
#include "threads.cuh"

// columns[(n,i,j), (u,v,c)] = x[n, i·s + u − p, j·s + v − p, c], zero outside the image
template <class T>
__global__ void to_columns(const T* x, T* columns, long long size, int height, int width, int channels, int out_height,
                           int out_width, int kh, int kw, int stride, int padding) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels, v = k / channels % kw, u = k / channels / kw % kh;
    long long pixel = k / channels / kw / kh, n = pixel / out_width / out_height;
    int row = pixel / out_width % out_height * stride + u - padding, column = pixel % out_width * stride + v - padding;
    bool inside = row >= 0 && row < height && column >= 0 && column < width;
    columns[k] = inside ? x[((n * height + row) * width + column) * channels + c] : T(0);
}

// dx[n,row,column,c] = Σ_{u,v} dcolumns[(n,i,j), (u,v,c)] over i·s + u − p = row, j·s + v − p = column. One thread computes
// each sum, in the order of the taps.
template <class T>
__global__ void from_columns(const T* dcolumns, T* dx, long long size, int height, int width, int channels, int out_height,
                             int out_width, int kh, int kw, int stride, int padding) {
    long long k = element_index();
    if (k >= size) return;
    int c = k % channels, column = k / channels % width, row = k / channels / width % height;
    long long n = k / channels / width / height;
    T sum = 0;
    for (int u = 0; u < kh; u++) {
        int i = row + padding - u;  // times the stride
        if (i < 0 || i % stride || i / stride >= out_height) continue;
        for (int v = 0; v < kw; v++) {
            int j = column + padding - v;
            if (j < 0 || j % stride || j / stride >= out_width) continue;
            long long pixel = (n * out_height + i / stride) * out_width + j / stride;
            sum += dcolumns[((pixel * kh + u) * kw + v) * channels + c];
        }
    }
    dx[k] = sum;
}
