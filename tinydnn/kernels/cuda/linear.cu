// The three matrix products of the linear layer on tensor cores (mma.sync).
//
//   z[n,o]  = Σ_i x[n,i] · w[o,i] + b[o]       A = x,    B = wᵀ
//   dx[n,i] = Σ_o dz[n,o] · w[o,i]             A = dz,   B = w
//   dw[o,i] = Σ_n dz[n,o] · x[n,i]             A = dzᵀ,  B = x,    db[o] = Σ_n dz[n,o], the sums over the rows of A
//
// each C = A · B of (rows, depth) and (depth, columns). The operands are read as they lie in memory: A_INNER says whether the
// depth is the inner index of A in memory (x, dz) or its rows are (dzᵀ), and B_INNER likewise for wᵀ, and for w and x.
//
// A block computes a tile of TILE × TILE elements of C, a warp a quarter of it. A stage in shared memory holds CHUNK of the
// depth; cp.async copies up to STAGES − 1 of them ahead. Where C has few tiles and the depth is long, as in z, gridDim.z
// blocks share a tile: each writes the partial sums of its part of the depth, which `sum_splits` adds in order. No two
// threads add to the same address, so the same inputs give the same bits.
//
// Memory-bound: at N = O = 128, I = 32768 each product takes 1.1 GFLOP for 34 MB, 32 FLOP a byte; tensor cores need about
// 100 in TF32. Shared memory has no bank conflicts: with rows of CHUNK + 4 and of TILE + 8 floats, the 32 lanes of every
// fragment load access 32 banks.
#include "fragments.cuh"
#include "threads.cuh"

constexpr int TILE = 64, CHUNK = 32, STAGES = 3, WARP_TILE = 32, BLOCK = 128;
constexpr int OPERAND = TILE * (CHUNK + 4), STAGE = 2 * OPERAND;  // floats; CHUNK · (TILE + 8) are as many

// Start to copy a tile of a matrix, WIDTH (1 or 4) elements at a time; zeros outside. `begin`: of the tile along the rows (of
// A) or columns (of B), `deep` along the depth.
template <bool INNER, int WIDTH>
__device__ __forceinline__ void load_tile(float* stage, const float* matrix, int begin, int size, int deep, int depth) {
    constexpr int OUTER_TILE = INNER ? TILE : CHUNK, INNER_TILE = INNER ? CHUNK : TILE, ROW = INNER_TILE + (INNER ? 4 : 8);
    int outer = INNER ? begin : deep, outer_size = INNER ? size : depth;
    int inner = INNER ? deep : begin, inner_size = INNER ? depth : size;
#pragma unroll 4
    for (int k = threadIdx.x; k < OUTER_TILE * INNER_TILE / WIDTH; k += BLOCK) {
        int i = k / (INNER_TILE / WIDTH), j = k % (INNER_TILE / WIDTH) * WIDTH;
        bool inside = outer + i < outer_size && inner + j < inner_size;
        const float* from = inside ? matrix + static_cast<long long>(outer + i) * inner_size + inner + j : matrix;
        copy_async<4 * WIDTH>(stage + i * ROW + j, from, inside);
    }
}

template <bool INNER>
__device__ __forceinline__ void load_operand(float* stage, const float* matrix, int begin, int size, int deep, int depth) {
    if ((INNER ? depth : size) % 4 == 0) load_tile<INNER, 4>(stage, matrix, begin, size, deep, depth);
    else load_tile<INNER, 1>(stage, matrix, begin, size, deep, depth);
}

// The element of a tile in row (of A) or column (of B) k at depth d.
template <bool INNER> __device__ __forceinline__ float element(const float* stage, int k, int d) {
    return INNER ? stage[k * (CHUNK + 4) + d] : stage[d * (TILE + 8) + k];
}

// c: C, or if gridDim.z > 1 the partial sums (splits, rows · columns + rows). bias: of each column, or null. row_sums: of A,
// (rows,), or null; with partial sums, not null if they are wanted.
template <int PRODUCTS, bool A_INNER, bool B_INNER>
__global__ void __launch_bounds__(BLOCK, 3)
multiply(const float* a, const float* b, float* c, const float* bias, float* row_sums, int rows, int columns, int depth) {
    extern __shared__ __align__(16) float memory[];
    int first_column = blockIdx.x * TILE, first_row = blockIdx.y * TILE;
    int chunks = (depth + CHUNK - 1) / CHUNK, share = (chunks + gridDim.z - 1) / gridDim.z;
    int begin = blockIdx.z * share, end = min(begin + share, chunks);
    int warp = threadIdx.x / 32, g = threadIdx.x % 32 / 4, t = threadIdx.x % 4;
    int row = warp / 2 * WARP_TILE, column = warp % 2 * WARP_TILE;
    bool idle = first_row + row >= rows || first_column + column >= columns;  // the whole warp is outside of C
    bool sums_rows = row_sums != nullptr && blockIdx.x == 0 && threadIdx.x < TILE;
    float row_sum = 0, sums[WARP_TILE / 16][WARP_TILE / 8][4] = {};

    auto load = [&](int chunk) {
        float* stage = memory + (chunk - begin) % STAGES * STAGE;
        if (chunk < end) {
            load_operand<A_INNER>(stage, a, first_row, rows, chunk * CHUNK, depth);
            load_operand<B_INNER>(stage + OPERAND, b, first_column, columns, chunk * CHUNK, depth);
        }
        commit_copies();
    };

    for (int chunk = begin; chunk < begin + STAGES - 1; chunk++) load(chunk);
#pragma unroll 1
    for (int chunk = begin; chunk < end; chunk++) {
        wait_for_copies<STAGES - 2>();
        __syncthreads();
        load(chunk + STAGES - 1);  // to the stage that all threads have left
        const float* tile_a = memory + (chunk - begin) % STAGES * STAGE;
        const float* tile_b = tile_a + OPERAND;
        if (sums_rows)
            for (int d = 0; d < CHUNK; d++) row_sum += element<A_INNER>(tile_a, threadIdx.x, d);
        if (idle) continue;
#pragma unroll
        for (int d = 0; d < CHUNK; d += 8) {
            Fragment<PRODUCTS, 2> right[WARP_TILE / 8];
#pragma unroll
            for (int k = 0; k < WARP_TILE / 8; k++)
#pragma unroll
                for (int e = 0; e < 2; e++) right[k].set(e, element<B_INNER>(tile_b, column + 8 * k + g, d + t + 4 * e));
#pragma unroll
            for (int m = 0; m < WARP_TILE / 16; m++) {
                Fragment<PRODUCTS, 4> left;
#pragma unroll
                for (int e = 0; e < 4; e++)
                    left.set(e, element<A_INNER>(tile_a, row + 16 * m + g + 8 * (e % 2), d + t + 4 * (e / 2)));
#pragma unroll
                for (int k = 0; k < WARP_TILE / 8; k++) multiply_add<PRODUCTS>(sums[m][k], left, right[k]);
            }
        }
    }

    long long size = static_cast<long long>(rows) * columns;
    if (gridDim.z > 1) {
        c += blockIdx.z * (size + rows);
        row_sums = c + size;
    }
    if (sums_rows && first_row + threadIdx.x < rows) row_sums[first_row + threadIdx.x] = row_sum;
#pragma unroll
    for (int m = 0; m < WARP_TILE / 16; m++)
#pragma unroll
        for (int k = 0; k < WARP_TILE / 8; k++)
#pragma unroll
            for (int half = 0; half < 2; half++) {
                int i = first_row + row + 16 * m + g + 8 * half, j = first_column + column + 8 * k + 2 * t;
                if (i >= rows) continue;
                float* to = c + static_cast<long long>(i) * columns + j;
                float left = sums[m][k][2 * half], right = sums[m][k][2 * half + 1];
                if (bias != nullptr && gridDim.z == 1) {
                    if (j < columns) left += bias[j];
                    if (j + 1 < columns) right += bias[j + 1];
                }
                if (columns % 2 == 0 && j < columns) *reinterpret_cast<float2*>(to) = make_float2(left, right);
                else {
                    if (j < columns) to[0] = left;
                    if (j + 1 < columns) to[1] = right;
                }
            }
}

// Add the partial sums of `multiply` in order, and the bias. Each row of a block reads LANES neighbours, 128 bytes, which
// `multiply` left in the L2 cache.
__global__ void __launch_bounds__(LANES * GROUPS)
sum_splits(const float* partials, int count, const float* bias, float* c, float* row_sums, int rows, int columns) {
    __shared__ float sums[LANES * GROUPS];
    int lane = threadIdx.x % LANES, group = threadIdx.x / LANES;
    long long size = static_cast<long long>(rows) * columns, k = static_cast<long long>(blockIdx.x) * LANES + lane;
    bool inside = k < (row_sums == nullptr ? size : size + rows);
    float sum = 0;
    if (inside)
#pragma unroll 4
        for (int s = group; s < count; s += GROUPS) sum += partials[s * (size + rows) + k];
    sums[threadIdx.x] = sum;
    __syncthreads();
    if (group != 0 || !inside) return;
    for (int other = 1; other < GROUPS; other++) sum += sums[other * LANES + lane];
    if (k >= size) row_sums[k - size] = sum;
    else c[k] = bias == nullptr ? sum : sum + bias[k % columns];
}
